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
    if (conn->super.tls->out.bytes > 0 ||
        (conn->super.out.bytes > 0 && wring__conn_tls_is_writable(conn))) {
        wring__end_flush(&conn->super);
    }
}

wring_result wring__conn_secure(wring__conn *conn, wring__tls_context *context,
                                const char *server_name, const wring__tls_session *session,
                                wring_bytes alpn) {
    WRING_ASSERT(conn->super.tls == NULL && conn->super.state == WRING__END_OPEN);
    struct wring__conn_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL || scratch(conn->super.worker) == NULL) {
        free(tls);
        return WRING_ERR_NO_MEMORY;
    }
    wring__tls_options options = {.out = &tls->out,
                                  .chunks = &conn->super.worker->chunks,
                                  .server_name = server_name,
                                  .session = session,
                                  .alpn = alpn};
    wring_result result = wring__tls_create(context, &options, &tls->tls);
    if (result != WRING_OK) {
        free(tls);
        return result;
    }
    conn->super.tls = tls;
    result = wring__tls_handshake(tls->tls); /* a client's first flight */
    flush_when_queued(conn);
    return result == WRING_MORE ? WRING_OK : result;
}

wring__tls *wring__conn_tls_of(const wring__conn *conn) {
    return conn->super.tls == NULL ? NULL : conn->super.tls->tls;
}

void wring__conn_tls_free(wring__conn *conn) {
    if (conn->super.tls != NULL) {
        wring__tls_destroy(conn->super.tls->tls);
        wring__outq_deinit(&conn->super.tls->out, &conn->super.worker->chunks);
        free(conn->super.tls);
        conn->super.tls = NULL;
    }
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Fills the scratch with decrypted records. WRING_OK: there may be more; `*len` bytes were had. */
static wring_result plain_read(wring__conn *conn, size_t *len, bool *end) {
    uint8_t *plain = conn->super.worker->plain;
    *len = 0;
    while (*len < WRING__PLAIN_MAX) {
        size_t n = 0;
        wring_result result =
            wring__tls_read(conn->super.tls->tls, plain + *len, WRING__PLAIN_MAX - *len, &n);
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
    if (wring__tls_keep(conn->super.tls->tls) != WRING_OK) {
        wring__conn_break(conn, ENOMEM);
    }
}

/* Reading has stopped: what else there is waits for wring__conn_tls_resume. */
static void wait_for_resume(wring__conn *conn, wring_result result, bool end) {
    conn->super.tls->end_owed = end;
    if (result == WRING_OK && !end) {
        keep(conn);
    }
}

/* Before what came with the end of the handshake: the owner may become another by this. */
__attribute__((cold, noinline)) static void secured_tell(wring__conn *conn) {
    if (wring__tls_is_established(conn->super.tls->tls)) {
        conn->super.tls->was_secured = true;
        if (conn->super.ops->secured != NULL) {
            conn->super.ops->secured(&conn->super);
        }
    }
}

static void plain_give(wring__conn *conn) {
    wring__tls_pass(conn->super.tls->tls, conn->super.worker->now);
    for (;;) {
        size_t len = 0;
        bool end = false;
        wring_result result = plain_read(conn, &len, &end);
        flush_when_queued(conn);
        if (WRING_UNLIKELY(!conn->super.tls->was_secured)) {
            secured_tell(conn);
        }
        const wring_mut_bytes plain = {conn->super.worker->plain, len};
        const bool goes_on =
            conn->super.state == WRING__END_OPEN && wring__conn_give(conn, plain, NULL);
        if (conn->super.state != WRING__END_OPEN) {
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
            conn->super.ops->eof(&conn->super);
            return;
        }
        if (result == WRING_MORE) {
            return;
        }
    }
}

void wring__conn_tls_rx(wring__conn *conn, wring_mut_bytes ciphertext) {
    WRING_DEBUG_ASSERT(conn->super.tls != NULL && ciphertext.len > 0);
    if (wring__tls_receive(conn->super.tls->tls, ciphertext) != WRING_OK) {
        wring__conn_break(conn, ENOMEM);
        return;
    }
    plain_give(conn);
}

void wring__conn_tls_resume(wring__conn *conn) {
    if (wring__tls_has_pending(conn->super.tls->tls) || conn->super.tls->end_owed) {
        conn->super.tls->end_owed = false;
        plain_give(conn);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

bool wring__conn_tls_is_writable(const wring__conn *conn) {
    return wring__tls_is_writable(conn->super.tls->tls);
}

void wring__conn_tls_seal(wring__conn *conn) {
    struct wring__conn_tls *tls = conn->super.tls;
    if (!wring__conn_tls_is_writable(conn)) {
        return;
    }
    if (conn->super.out.bytes > 0 && tls->out.bytes < SEAL_MAX) {
        wring_result result =
            wring__tls_write_queue(tls->tls, &conn->super.out, SEAL_MAX - tls->out.bytes);
        if (result != WRING_OK) {
            wring__conn_break(conn, ENOMEM);
            return;
        }
    }
    if (conn->super.state == WRING__END_DRAINING && conn->super.out.bytes == 0) {
        wring__tls_shutdown(tls->tls);
    }
}
