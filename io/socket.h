/* SPDX-License-Identifier: Apache-2.0
 *
 * What every backend that stands on the kernel does with descriptors in the same way: listening,
 * making a socket to dial with, asking whom a socket is connected to, the clock.
 */
#ifndef WRING_IO_SOCKET_H
#define WRING_IO_SOCKET_H

#include "io/backend.h"

/* ---- listening: the functions of wring__backend_ops ------------------------------------------ */

wring_result wring__socket_listen(const wring__listen_config *config, wring__socket *out,
                                  uint16_t *port, wring_error *error);
void wring__socket_unlisten(const wring__listen_config *config, wring__socket listener);
void wring__socket_turn_away(wring__socket listener);

/** A connection that waits at the listener, or -1 with errno: EAGAIN when none does.
 *  @param flags  of accept4 */
int wring__socket_accept(int listener, int flags);

/** A connection that waits at a listener, past those whose own error ended them, which are few; a
 *  negative errno when there is none. For the last look before a listener is closed: one that goes
 *  on failing (a filter, a security module) ends it.
 *  @param accept  accepts one: a socket or a negative errno */
wring__socket wring__socket_accept_past_errors(wring__backend *backend, int listener,
                                               int32_t (*accept)(wring__backend *backend,
                                                                 int listener));

/** Whether accepting failed for the one connection only (accept(2)), by a negative errno. */
bool wring__socket_is_accept_error_of_one(int32_t result);

/** The descriptor does not wait any more.  False: with errno. */
bool wring__socket_set_nonblocking(int fd);

/* ---- dialling -------------------------------------------------------------------------------- */

/** A socket to connect with, bound to the source if there is one; -1 with errno.
 *  @param flags  of socket(2), beside SOCK_CLOEXEC */
int wring__socket_make(const wring__dial_config *config, int flags);

/** Whether it is connected to itself (TCP's simultaneous open, RFC 9293 3.5). If so its close will
 *  reset it, so that the port is free at once. */
bool wring__socket_is_itself(int fd);

/* ---- others ---------------------------------------------------------------------------------- */

bool wring__socket_peer(int fd, struct sockaddr_storage *out);

/** Of no family. Who connects to it resets what the socket was connected to (connect(2)). */
extern const struct sockaddr wring__socket_nowhere;
wring_time_ns wring__machine_now(wring__backend *backend);

/** Zeroed pages, touched when used; NULL: no memory. */
void *wring__pages(size_t bytes);

/** How the memory of receive buffers is cut into fewer and longer ones, in which many receives lie
 *  back to back. False: there is too little of it. */
bool wring__buffer_runs(size_t total, uint32_t count_max, uint32_t *count, uint32_t *size);

#endif
