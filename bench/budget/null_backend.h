/* SPDX-License-Identifier: Apache-2.0
 *
 * A backend that moves nothing: completions are put in by the program, every send is taken whole in
 * the turn it is submitted with. What is left to count is the worker, the connection and the
 * session. One thread.
 */
#ifndef WRING_BENCH_NULL_BACKEND_H
#define WRING_BENCH_NULL_BACKEND_H

#include "io/backend.h"

extern const wring__backend_ops null_backend_ops;

/* The next turn accepts a socket. Sockets are numbered from 0 in this order. */
void null_backend_accept(wring__backend *backend);

/* The next turn receives these bytes; at most a buffer's size. */
void null_backend_receive(wring__backend *backend, wring__socket socket, wring_bytes bytes);

/* Bytes and operations sent so far. */
uint64_t null_backend_sent(const wring__backend *backend);
uint64_t null_backend_sends(const wring__backend *backend);

#endif
