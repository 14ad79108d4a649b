/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's TLS. See conn_tls.h.
 */
#include "io/conn_tls.h"

#include <errno.h>
#include <stdlib.h>

#include "io/conn_rx.h"
#include "io/worker.h"

/* Ciphertext made ahead of the socket: a few records. */
#define SEAL_MAX (64 * 1024)

static uint8_t *scratch(wring__worker *worker) {
    if (worker->plain == NULL) {
        worker->plain = malloc(WRING__PLAIN_MAX);
    }
    return worker->plain;
}

/* Reading may have queued an answer: handshake, alert, key update. */
static void flush_when_queued(wring__conn *conn) {
    if (conn->tls->out.bytes > 0 || (conn->out.bytes > 0 && wring__conn_tls_is_writable(conn))) {
        wring__conn_flush(conn);
    }
}

wring_result wring__conn_secure(wring__conn *conn, wring__tls_context *context,
                                const char *server_name, const wring__tls_session *session) {
    WRING_ASSERT(conn->tls == NULL && conn->state == WRING__CONN_OPEN);
    struct wring__conn_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL || scratch(conn->worker) == NULL) {
        free(tls);
        return WRING_ERR_NO_MEMORY;
    }
    wring__tls_options options = {.out = &tls->out,
                                  .chunks = &conn->worker->chunks,
                                  .server_name = server_name,
                                  .session = session};
    wring_result result = wring__tls_create(context, &options, &tls->tls);
    if (result != WRING_OK) {
        free(tls);
        return result;
    }
    conn->tls = tls;
    result = wring__tls_handshake(tls->tls); /* a client's first flight */
    flush_when_queued(conn);
    return result == WRING_MORE ? WRING_OK : result;
}

wring__tls *wring__conn_tls_of(const wring__conn *conn) {
    return conn->tls == NULL ? NULL : conn->tls->tls;
}

void wring__conn_tls_free(wring__conn *conn) {
    if (conn->tls != NULL) {
        wring__tls_destroy(conn->tls->tls);
        wring__outq_deinit(&conn->tls->out, &conn->worker->chunks);
        free(conn->tls);
        conn->tls = NULL;
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Fills the scratch with decrypted records. WRING_OK: there may be more; `*len` bytes were had. */
static wring_result plain_read(wring__conn *conn, size_t *len, bool *end) {
    uint8_t *plain = conn->worker->plain;
    *len = 0;
    while (*len < WRING__PLAIN_MAX) {
        size_t n = 0;
        wring_result result =
            wring__tls_read(conn->tls->tls, plain + *len, WRING__PLAIN_MAX - *len, &n);
        if (result != WRING_OK) {
            return result;
        }
        if (n == 0) {
            *end = true;
            return WRING_OK;
        }
        *len += n;
    }
    return WRING_OK;
}

static void keep(wring__conn *conn) {
    if (wring__tls_keep(conn->tls->tls) != WRING_OK) {
        wring__conn_break(conn, ENOMEM);
    }
}

/* Reading has stopped: what else there is waits for wring__conn_tls_resume. */
static void wait_for_resume(wring__conn *conn, wring_result result, bool end) {
    conn->tls->end_owed = end;
    if (result == WRING_OK && !end) {
        keep(conn);
    }
}

static void plain_give(wring__conn *conn) {
    wring__tls_pass(conn->tls->tls, conn->worker->now);
    for (;;) {
        size_t len = 0;
        bool end = false;
        wring_result result = plain_read(conn, &len, &end);
        flush_when_queued(conn);
        const wring_mut_bytes plain = {conn->worker->plain, len};
        const bool goes_on = wring__conn_give(conn, plain);
        if (conn->state != WRING__CONN_OPEN) {
            keep(conn);
            return;
        }
        if (result != WRING_OK && result != WRING_MORE) {
            wring__conn_fail(conn, result);
            return;
        }
        if (!goes_on) {
            wait_for_resume(conn, result, end);
            return;
        }
        if (end) { /* close_notify: RFC 8446 6.1 */
            conn->eof_told = true;
            conn->ops->eof(conn);
            return;
        }
        if (result == WRING_MORE) {
            return;
        }
    }
}

void wring__conn_tls_rx(wring__conn *conn, wring_mut_bytes ciphertext) {
    if (wring__tls_receive(conn->tls->tls, ciphertext) != WRING_OK) {
        wring__conn_break(conn, ENOMEM);
        return;
    }
    plain_give(conn);
}

void wring__conn_tls_resume(wring__conn *conn) {
    if (wring__tls_has_pending(conn->tls->tls) || conn->tls->end_owed) {
        conn->tls->end_owed = false;
        plain_give(conn);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

bool wring__conn_tls_is_writable(const wring__conn *conn) {
    enum wring__tls_state state = wring__tls_state_of(conn->tls->tls);
    return state == WRING__TLS_OPEN || state == WRING__TLS_CLOSED;
}

void wring__conn_tls_seal(wring__conn *conn) {
    struct wring__conn_tls *tls = conn->tls;
    if (!wring__conn_tls_is_writable(conn)) {
        return;
    }
    if (conn->out.bytes > 0 && tls->out.bytes < SEAL_MAX) {
        wring_result result =
            wring__tls_write_queue(tls->tls, &conn->out, SEAL_MAX - tls->out.bytes);
        if (result != WRING_OK) {
            wring__conn_break(conn, ENOMEM);
            return;
        }
    }
    if (conn->state == WRING__CONN_DRAINING && conn->out.bytes == 0) {
        wring__tls_shutdown(tls->tls);
    }
}
