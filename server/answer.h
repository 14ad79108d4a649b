/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers: what an application gave is checked, and written as HTTP/1.x or handed to the carrier.
 */
#ifndef WRING_SERVER_ANSWER_H
#define WRING_SERVER_ANSWER_H

#include "server/exchange.h"

/** Copies the caller's record and checks it: status, header names and values, views.
 *  Errors: WRING_ERR_INVALID_ARGUMENT, WRING_ERR_INVALID_HEADER. */
WRING_MUST_CHECK wring_result wring__answer_adopt(const wring_answer *in, wring_answer *out);

/** Names are tokens, values have no control bytes, and none is of the list in wring/exchange.h. */
WRING_MUST_CHECK wring_result wring__answer_headers_check(wring_headers headers);

/** Whether it can be answered, or accepted: its client is there, and has no answer yet.
 *  Errors: WRING_ERR_CLOSED, WRING_ERR_INVALID_STATE. */
WRING_MUST_CHECK wring_result wring__answer_may_begin(const wring_exchange *exchange);

/** What was done is acted on: outside of its callbacks nobody looks, unless it is asked. */
void wring__answer_look_later(wring_exchange *exchange);

/** The exchange ends for `reason`, and its connection with it. */
void wring__answer_cut(wring_exchange *exchange, wring_result reason);

/** The application gave no answer: that is told, and the client gets one of the library's.
 *  @param told  for the log */
void wring__answer_missing(wring_exchange *exchange, wring_result reason, const char *told);

/** Answers whole.  @param answer  adopted.  Errors: WRING_ERR_NO_MEMORY, and nothing was answered.
 */
WRING_MUST_CHECK wring_result wring__answer_whole(wring_exchange *exchange,
                                                  const wring_answer *answer);

/** Queues bytes to the client. Errors: WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__answer_bytes(wring__peer *peer, wring_bytes bytes);

/** What the library itself answers: a status, and a sentence as text.
 *  @param headers  further ones */
void wring__answer_refusal(wring_exchange *exchange, int status, const char *text,
                           wring_headers headers);

#endif
