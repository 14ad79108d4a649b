/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether an end is final, and when a server wants to be asked again. Pure.
 */
#ifndef WRING_CLIENT_RETRY_H
#define WRING_CLIENT_RETRY_H

#include <time.h>

#include "wring/client.h"

/** Longest Retry-After that is waited for. */
#define WRING__RETRY_AFTER_MAX_S 3600

/** What Retry-After asks for, in seconds or as a date; 0 when the answer has none that is
 * understood.
 *  @param now  for a date, where the answer has no Date of its own
 *  RFC: 9110 10.2.3 */
uint32_t wring__retry_after_ms(const wring_http_answer *answer, time_t now);

#endif
