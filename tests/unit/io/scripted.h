/* SPDX-License-Identifier: Apache-2.0
 *
 * A backend whose operations the test ends by hand: every order and every result that the kernel
 * may give, and some that it should not. One at a time.
 */
#ifndef WRING_TESTS_UNIT_IO_SCRIPTED_H
#define WRING_TESTS_UNIT_IO_SCRIPTED_H

#include "io/backend.h"

#define SCRIPTED_BUFFERS     8
#define SCRIPTED_BUFFER_SIZE 64

enum scripted_kind {
    SCRIPTED_ACCEPT,
    SCRIPTED_RECV,
    SCRIPTED_SEND,
    SCRIPTED_SHUTDOWN,
    SCRIPTED_CANCEL,
    SCRIPTED_CLOSE
};

extern const wring__backend_ops scripted_ops;

/* The token of the operation that is under way; 0: there is none. */
uint64_t scripted_token(enum scripted_kind kind);
size_t scripted_under_way(void);

/* The next turn brings the operation's last completion. */
void scripted_end(enum scripted_kind kind, int32_t result);
/* Bytes lent to the send that is under way. */
size_t scripted_send_len(void);
/* The same of the receive, with bytes in a buffer; more: it stays armed. */
void scripted_receive(wring_bytes bytes, bool more);
/* A connection came in; more: accepting stays armed. */
void scripted_accept(wring__socket socket, bool more);
/* Any completion at all; with a buffer when `bytes` has some. */
void scripted_stray(uint64_t token, int32_t result, wring_bytes bytes);

/* From now on the worker may send at once (scripted_open forgets it). Such a send is under way as
 * SCRIPTED_SEND: scripted_end tells of one that failed or was short, this ends one that took all of
 * its bytes. `known`: what the next turns say of all of them. */
void scripted_sends_at_once(bool known);
void scripted_took_all(void);
bool scripted_is_at_once(void); /* the send under way */
/* What the last turn was asked: 0, it must not wait. */
wring_time_ns scripted_deadline(void);

/* What the sends that ended well have taken. */
wring_bytes scripted_sent(void);
size_t scripted_buffers_home(void);
void scripted_advance(wring_duration_ns by);

#endif
