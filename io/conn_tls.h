/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS between a connection's owner and its socket: for conn.c only. Plaintext stays in
 * conn->super.out until a send is due and nothing is in flight; then a bounded run of it is sealed
 * into the queue of ciphertext, so that what is written in one turn shares records and a slow
 * peer's backlog is not held twice.
 */
#ifndef WRING_IO_CONN_TLS_H
#define WRING_IO_CONN_TLS_H

#include "io/conn.h"

struct wring__conn_tls {
    wring__tls *tls;
    wring__outq out;  /* ciphertext */
    bool end_owed;    /* close_notify came while the owner was not done with what came before */
    bool was_secured; /* its handshake was over, and the owner knows */
};

/** Takes received ciphertext; what it decrypts to goes to the owner's rx. */
void wring__conn_tls_rx(wring__conn *conn, wring_mut_bytes ciphertext);

/** Gives the owner what can be decrypted without more input: after a pause. */
void wring__conn_tls_resume(wring__conn *conn);

/** Before a send: seals what is queued; in DRAINING, when all is sealed, close_notify too. */
void wring__conn_tls_seal(wring__conn *conn);

/** Nothing more can be sealed: what is queued in plain is dropped. */
bool wring__conn_tls_is_writable(const wring__conn *conn);

void wring__conn_tls_free(wring__conn *conn);

#endif
