/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that others wrote: what a server sent, made fit for a terminal and for JSON; a message of
 * the user's, checked before it is sent as text.
 */
#ifndef WRING_LOAD_TEXT_H
#define WRING_LOAD_TEXT_H

#include "wring/bytes.h"

/** Copies `text` up to its NUL, as far as there is room, with '?' for each byte that is a control
 *  character or no UTF-8. Ends between characters, with a NUL. */
void load_text_printable(char *out, size_t cap, const char *text);

/** @param bad_at  set to the offset of the first bad byte */
bool load_text_is_utf8(wring_bytes text, size_t *bad_at);

#endif
