/* SPDX-License-Identifier: Apache-2.0
 *
 * A trunk: one connection of HTTP/2 whose streams are sessions (trunk.c), and the request that each
 * of them begins with (fields.c).
 *
 * A session whose turn it is to be opened joins its thread's trunk, which is dialled when there is
 * none that has a place left. It waits there until the server's settings have come; then it gets a
 * stream. A trunk carries so many sessions as --streams says, one after the other in connect mode,
 * and ends with the last of them.
 */
#ifndef WRING_LOAD_TRUNK_H
#define WRING_LOAD_TRUNK_H

#include "bench/load/link.h"
#include "stream/h2.h"

/** Errors: those of wring__conn_connect; the link has not joined then. */
WRING_MUST_CHECK wring_result load_trunk_join(load_thread *thread, load_link *link);

/** Opens streams for those that wait, if that is possible by now. May end the links. */
void load_trunk_serve(load_trunk *trunk);

/** The first session of it is open: it counts as one that carries them. */
void load_trunk_carries(load_trunk *trunk);

/** Frees a session that has no stream yet. */
void load_trunk_forget(load_link *link);

/** A session of it is gone. */
void load_trunk_left(load_trunk *trunk);

/** The run ends: trunks without a session end. */
void load_trunk_close_idle(load_thread *thread);

/** The server takes no new streams on it, and said so. */
bool load_trunk_is_going(const load_trunk *trunk);
/** "the server sent GOAWAY (ENHANCE_YOUR_CALM)" */
#define LOAD_GOING_TEXT 64
const char *load_trunk_going_why(const load_trunk *trunk, char text[LOAD_GOING_TEXT]);

/** "CANCEL", "code 99".   RFC: 9113 7 */
#define LOAD_CODE_TEXT 24
const char *load_trunk_code_name(uint32_t code, char text[LOAD_CODE_TEXT]);

#endif
