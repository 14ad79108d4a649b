/* SPDX-License-Identifier: Apache-2.0
 *
 * Small text of URLs: percent-decoding and Basic credentials.
 */
#ifndef WRING_CLIENT_TEXT_H
#define WRING_CLIENT_TEXT_H

#include "core/base.h"

/** A decoded copy with a terminating NUL, freed by the caller; NULL when memory is out, or the
 *  text decodes to a NUL.   RFC: 3986 2.1 */
char *wring__percent_decode(wring_bytes text);

/** "Basic " and base64 of "user:password", freed by the caller; NULL when memory is out.
 *  RFC: 7617 2 */
char *wring__basic_credentials(const char *user, const char *password);

#endif
