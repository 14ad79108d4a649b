/* SPDX-License-Identifier: Apache-2.0
 *
 * The date of HTTP's headers. Pure arithmetic: no clock, no locale, no time zone.
 */
#ifndef WRING_PROTO_DATE_H
#define WRING_PROTO_DATE_H

#include <stdint.h>

#define WRING__HTTP_DATE_TEXT 30 /* with its NUL */

/** Writes "Sun, 06 Nov 1994 08:49:37 GMT".
 *  @param unix_seconds  since 1970; before the year 0 and behind 9999 the nearest date is written
 *  RFC: 9110 5.6.7 (IMF-fixdate) */
void wring__http_date(int64_t unix_seconds, char out[WRING__HTTP_DATE_TEXT]);

#endif
