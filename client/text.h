/* SPDX-License-Identifier: Apache-2.0
 *
 * Small text of URLs: percent-decoding and Basic credentials.
 */
#ifndef WRING_CLIENT_TEXT_H
#define WRING_CLIENT_TEXT_H

#include "core/base.h"

/** A decoded copy with a terminating NUL, freed by the caller; NULL with an error.   RFC: 3986 2.1
 *  Errors: WRING_ERR_INVALID_ARGUMENT (it decodes to a NUL), WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__percent_decode(wring_bytes text, char **out);

/** "Basic " and base64 of "user:password", freed by the caller; NULL when memory is out.
 *  RFC: 7617 2 */
char *wring__basic_credentials(const char *user, const char *password);

#endif
