/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS of one stream, without the socket: received ciphertext goes in, plaintext comes out, and what
 * must be sent (handshake, records, tickets, alerts) is appended to a wring__outq. The one place
 * that knows OpenSSL. Who moves the bytes, and how long a handshake may take, is decided above.
 *
 *     handshaking -> open -> closed        the peer said close_notify
 *          |           |
 *          +-----------+---> failed        typed result, wring__tls_reason says why
 *
 * A context is shared by all workers and never changes; replace it to reload certificates. Thread:
 * contexts any; a stream belongs to its worker. RFC 8446, RFC 5246, RFC 6066 3, RFC 7301.
 */
#ifndef WRING_IO_TLS_H
#define WRING_IO_TLS_H

#include "core/base.h"
#include "core/outq.h"
#include "wring/tls.h"

typedef struct wring__tls_context wring__tls_context;
typedef struct wring__tls_session wring__tls_session;
typedef struct wring__tls wring__tls;

enum wring__tls_state {
    WRING__TLS_HANDSHAKING,
    WRING__TLS_OPEN,
    WRING__TLS_CLOSED, /* the peer sends no more; we still may */
    WRING__TLS_FAILED
};

/* ---- contexts -------------------------------------------------------------------------------- */

/** Reads all files, which are not needed afterwards.
 *  @param previous  the context this one replaces, or NULL: its session tickets stay good
 *  Own:    config is borrowed for the call; the caller holds one reference to *context
 *  Errors: WRING_ERR_TLS_CONFIG with a sentence naming the file and what is wrong with it,
 *          WRING_ERR_NO_MEMORY
 *  Thread: any. Cost: milliseconds. */
WRING_MUST_CHECK wring_result wring__tls_context_server(const wring_tls_server_config *config,
                                                        const wring__tls_context *previous,
                                                        wring__tls_context **context,
                                                        wring_error *error);
WRING_MUST_CHECK wring_result wring__tls_context_client(const wring_tls_client_config *config,
                                                        wring__tls_context **context,
                                                        wring_error *error);

/** Share. Streams and sessions hold their own reference.   Thread: any. */
wring__tls_context *wring__tls_context_ref(wring__tls_context *context);
void wring__tls_context_unref(wring__tls_context *context); /* NULL is legal */

/* ---- streams --------------------------------------------------------------------------------- */

typedef struct wring__tls_options {
    wring__outq *out; /* ciphertext to send is appended here; outlives the stream */
    wring__chunk_cache *chunks;
    const char *server_name;           /* client: SNI and the name to check, or an IP address */
    const wring__tls_session *session; /* client: to resume; ignored where it does not fit */
    wring_bytes alpn; /* client: offered in place of the context's, as on the wire: RFC 7301 3.1 */
} wring__tls_options;

/** A stream in the role of its context. A client's first flight is queued by the first
 *  wring__tls_handshake or wring__tls_read.
 *  Own:    options are copied, the context is shared; the caller frees by wring__tls_destroy
 *  Errors: WRING_ERR_INVALID_ARGUMENT (a verifying client needs a server_name),
 *          WRING_ERR_NO_MEMORY */
WRING_MUST_CHECK wring_result wring__tls_create(wring__tls_context *context,
                                                const wring__tls_options *options,
                                                wring__tls **tls);
void wring__tls_destroy(wring__tls *tls); /* NULL is legal; queues nothing */

/** Lends received bytes: borrowed until wring__tls_read says WRING_MORE or an error, or
 *  wring__tls_keep. What an earlier call lent and nobody read is kept, by copy.
 *  Errors: WRING_ERR_NO_MEMORY, and then the bytes are not taken */
WRING_MUST_CHECK wring_result wring__tls_receive(wring__tls *tls, wring_mut_bytes ciphertext);

/** The loan ends early, because the reader pauses: copies what was not read yet.
 *  Errors: WRING_ERR_NO_MEMORY, and then the loan goes on */
WRING_MUST_CHECK wring_result wring__tls_keep(wring__tls *tls);

/** Bytes of those copies that it holds; they count as memory of `chunks` too. */
size_t wring__tls_kept(const wring__tls *tls);

/** Does what the handshake can do with the bytes at hand. WRING_OK when it is over.
 *  Errors: WRING_MORE (all input is used up), those of wring__tls_read */
WRING_MUST_CHECK wring_result wring__tls_handshake(wring__tls *tls);

/** Time has passed: what a peer may send without data grows by one record a second, up to 64. Each
 *  record that begins counts, until it gives data; those of the handshake too. Beyond that reading
 *  is WRING_ERR_TLS_EMPTY_RECORDS. */
void wring__tls_pass(wring__tls *tls, wring_time_ns now);

/** Plaintext, at most `len` > 0 bytes; the handshake too, as far as it goes. May append to the
 *  queue in every state. WRING_OK with *n == 0: the peer said close_notify.
 *  Errors: WRING_MORE (all input is used up), WRING_ERR_TLS_*, WRING_ERR_NO_MEMORY; after an error
 *          the same one for ever, and what is queued (an alert) should still be sent */
WRING_MUST_CHECK wring_result wring__tls_read(wring__tls *tls, uint8_t *buffer, size_t len,
                                              size_t *n);

/** More plaintext can be had without more received bytes: read on. */
bool wring__tls_has_pending(const wring__tls *tls);

/** Encrypts all of `iov` into the queue; short pieces share a record.
 *  Errors: WRING_MORE (handshaking; nothing was taken), WRING_ERR_CLOSED (after
 *          wring__tls_shutdown), WRING_ERR_NO_MEMORY and the stream has failed, the stream's error
 *  Cost:   one pass of the cipher, no allocation beyond the queue's and OpenSSL's record buffer */
WRING_MUST_CHECK wring_result wring__tls_write(wring__tls *tls, const struct iovec *iov,
                                               size_t count);

/** As wring__tls_write, of what is queued in `plain`, which is consumed: at most about `max` bytes.
 *  `plain` must use the chunk cache of the options. */
WRING_MUST_CHECK wring_result wring__tls_write_queue(wring__tls *tls, wring__outq *plain,
                                                     size_t max);

/** Queues close_notify: we send no more. Nothing to do while handshaking or failed; legal twice. */
void wring__tls_shutdown(wring__tls *tls);

/** Whether plaintext can be sealed: from the handshake until a failure. A truncated end is none of
 *  ours: what is owed to the peer can still be sent to it. */
bool wring__tls_is_writable(const wring__tls *tls);

/** The transport delivers no more; read all there is first. WRING_OK after close_notify.
 *  Errors: WRING_ERR_TLS_TRUNCATED, the stream's error if it had failed */
WRING_MUST_CHECK wring_result wring__tls_eof(wring__tls *tls);

enum wring__tls_state wring__tls_state_of(const wring__tls *tls);

/** The handshake was completed, whatever became of the stream since. */
bool wring__tls_is_established(const wring__tls *tls);

/** Why the stream failed, as one sentence; empty unless failed. As snprintf: cut to fit, always
 *  terminated when cap > 0, returns the full length. */
size_t wring__tls_reason(const wring__tls *tls, char *text, size_t cap);

/* ---- who is at the other end ----------------------------------------------------------------- */

/** Of an open stream. Strings are borrowed from it; peer_name is left "". */
wring_tls_info wring__tls_info_of(const wring__tls *tls);

/** A server's: whether a client that names `host` gets the certificate that this one got. One that
 *  named none may ask for any.   RFC: 9110 7.4 */
bool wring__tls_is_for(const wring__tls *tls, const char *host);

/** The protocol that ALPN agreed on; empty: none.   Cost: some instructions. */
wring_bytes wring__tls_alpn(const wring__tls *tls);

/** The names in the peer's verified certificate, one a line: "CN:alice", "DNS:localhost",
 *  "IP:127.0.0.1", "EMAIL:...", "URI:...". Control bytes and '\' are written as \xHH, so that a
 *  name cannot forge a line. Empty without a verified certificate. As snprintf. */
size_t wring__tls_peer_name(const wring__tls *tls, char *text, size_t cap);

/** Client: takes out the newest session the server offered, NULL if there is none. It resumes
 *  streams of the same context and server name.
 *  Own:    the caller frees.   Thread: any, one at a time */
wring__tls_session *wring__tls_take_session(wring__tls *tls);

/** It may be offered again; one of TLS 1.3 should not: RFC 8446 C.4. NULL is legal, and false. */
bool wring__tls_session_is_reusable(const wring__tls_session *session);
void wring__tls_session_destroy(wring__tls_session *session); /* NULL is legal */

/** Before anything else of OpenSSL, by whoever starts threads. Again is legal.   Thread: any. */
void wring__tls_library_init(void);

#endif
