/* SPDX-License-Identifier: Apache-2.0
 *
 * WebSocket clients: ws:// and wss://, reconnecting, through proxies. A client lives on a worker
 * thread, of a pool or of a server, and is used in one of two styles:
 *
 *   - with a handler: its callbacks run on the worker, one session after the other. `init` is
 *     called after each upgrade, so it is the place to subscribe again after a reconnect;
 *   - without one: the calling thread waits, sends and receives (wring_client_receive).
 *
 *     wring_pool *pool;
 *     wring_client *client;
 *     wring_pool_create(NULL, &pool, &error);
 *     wring_connect(wring_pool_loop(pool), "wss://example.com/feed", NULL, &client, &error);
 *     wring_client_wait(client, 5000, &error);
 */
#ifndef WRING_CLIENT_H
#define WRING_CLIENT_H

#include "wring/backend.h"
#include "wring/deflate.h"
#include "wring/handler.h"
#include "wring/http.h"
#include "wring/loop.h"
#include "wring/tls.h"

WRING_BEGIN_DECLS

typedef struct wring_pool wring_pool;
typedef struct wring_client wring_client;

/* ---- threads --------------------------------------------------------------------------------- */

/** 0 takes the default. */
typedef struct wring_pool_config {
    uint32_t struct_size;         /**< sizeof(wring_pool_config) */
    uint32_t threads;             /**< default 1, most 255 */
    uint32_t receive_buffers;     /**< per thread, a power of two; default 1,024 */
    uint32_t receive_buffer_size; /**< bytes; default 16 KiB and a header */
    uint32_t ring_entries;  /**< io_uring: submission queue entries per thread; default 1,024 */
    uint32_t mailbox_items; /**< per thread; default 65,536 */
    uint64_t pause_bytes;   /**< queued to a server before its bytes are read no further;
                                 default no limit: two ends that both wait for each other's
                                 reading would wait for ever. For handlers that answer
                                 servers they do not trust */
    bool pinned;            /**< one CPU for each thread */
    wring_backend backend;  /**< default WRING_BACKEND_AUTO */
} wring_pool_config;

/** Starts threads for clients.  @param config  NULL takes every default
 *  Own: give, until wring_pool_destroy.
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_BACKEND, WRING_ERR_SYSTEM, WRING_ERR_NO_MEMORY. */
WRING_API WRING_MUST_CHECK wring_result wring_pool_create(const wring_pool_config *config,
                                                          wring_pool **out, wring_error *error);

/** One of the pool's threads, each in turn.   Thread: any. */
WRING_API wring_loop wring_pool_loop(wring_pool *pool);

/** Sums over the pool's threads since they were started. */
typedef struct wring_pool_stats {
    uint32_t struct_size; /**< sizeof(wring_pool_stats), set by the caller */
    uint64_t rx_bytes;
    uint64_t tx_bytes;
    uint64_t turns;
    uint64_t mail_refused; /**< pushes that found a mailbox full */
    uint64_t mail_stale;   /**< mail for a session that was gone */
    uint64_t mail_lost;    /**< frames that were sent, and infos that were posted, too late: their
                                session was gone or had begun to close */
    wring_backend backend; /**< which one it runs on */
    const char *backend_reason; /**< a sentence; the pool's */
} wring_pool_stats;

/** Clients on a server's workers are in that one's statistics.
 *  Errors: WRING_ERR_INVALID_ARGUMENT without struct_size.   Thread: any. */
WRING_API wring_result wring_pool_get_stats(const wring_pool *pool, wring_pool_stats *out);

/** Closes every client with 1001, waits at most `drain_ms` for their servers, ends the threads and
 *  frees the pool. Clients stay valid, and closed. Not from a callback. NULL is legal. */
WRING_API void wring_pool_destroy(wring_pool *pool, uint32_t drain_ms);

/* ---- clients --------------------------------------------------------------------------------- */

typedef enum wring_client_status {
    WRING_CLIENT_CONNECTING, /**< resolving, connecting, TLS, upgrading */
    WRING_CLIENT_OPEN,
    WRING_CLIENT_WAITING, /**< until the next attempt */
    WRING_CLIENT_CLOSED   /**< for good */
} wring_client_status;

/** The answer that refused an upgrade. Views are borrowed, as the report is. */
typedef struct wring_http_answer {
    int status;
    bool by_proxy;         /**< a proxy's answer to CONNECT; else the server's to the upgrade */
    bool body_is_whole;    /**< else there was more of it, or it did not come in time */
    wring_bytes reason;    /**< empty when the status line had none */
    wring_headers headers; /**< raw: wring_text_printable before they reach a terminal */
    wring_bytes body;      /**< its first 4 KiB at most, without chunked framing; raw likewise */
} wring_http_answer;

/** What became of a client. Borrowed for the call. */
typedef struct wring_client_report {
    wring_client_status status;
    wring_result result;             /**< WAITING, CLOSED: how the last attempt or session ended */
    const char *text;                /**< ... as a sentence; never NULL */
    uint16_t close_code;             /**< ... and its close code; 0 if there was no session */
    int http_status;                 /**< the server's answer to the upgrade, 0 if there was none */
    uint32_t attempt;                /**< from 1; begins anew after a session that was stable */
    uint32_t delay_ms;               /**< WAITING: until the next attempt */
    wring_ref ref;                   /**< OPEN: the session, for wring_send and its like */
    const wring_http_answer *answer; /**< WAITING, CLOSED: what refused the last attempt; NULL when
                                          it did not end by an HTTP answer */
    bool by_peer;                    /**< WAITING, CLOSED: the server sent its close frame first */
} wring_client_report;

/** What the next attempt begins with. Given to the application with what the last attempt had. */
typedef struct wring_client_renewal {
    uint32_t attempt;      /**< from 1, as in the report */
    const char *url;       /**< NULL: as in the last attempt */
    wring_headers headers; /**< as wring_client_config.headers. A NULL `list` and no count: as in
                                the last attempt; a `list` that is not NULL, count 0: none */
} wring_client_renewal;

/** 0 and NULL take the default. Copied with everything it points to, but handler and opts. */
typedef struct wring_client_config {
    uint32_t struct_size;         /**< sizeof(wring_client_config) */
    const wring_handler *handler; /**< NULL: messages wait for wring_client_receive */
    void *handler_opts;
    const char *const *subprotocols; /**< offered, in order of preference */
    size_t subprotocol_count;
    const char *extensions; /**< the value of Sec-WebSocket-Extensions */
    const char *origin;
    wring_headers headers; /**< more for the upgrade request, as wring_h1_request_headers_check
                                allows. Host, Origin, Authorization, Sec-WebSocket-Protocol and
                                -Extensions replace what the client would send itself */

    uint32_t timeout_ms;                /**< from the name to the upgrade; default 15,000 */
    uint32_t max_handshake_size;        /**< bytes of the response head; default 64 KiB */
    wring_session_config session;       /**< limits and timeouts; role is ignored */
    const wring_tls_client_config *tls; /**< for wss://; NULL takes every default */
    const char *proxy;   /**< "http://user:password@host:port" (CONNECT, RFC 9110 9.3.6) or
                              "socks5://..." (RFC 1928, names resolved by the proxy) */
    bool proxy_from_env; /**< without `proxy`: from https_proxy (wss) or http_proxy (ws), all_proxy
                              and no_proxy, as curl reads them */
    const char *source;  /**< numeric address to connect from */

    uint32_t reconnect_min_ms;    /**< longest first delay; 0: no reconnecting */
    uint32_t reconnect_max_ms;    /**< longest delay of all; default 30,000 */
    uint32_t reconnect_stable_ms; /**< open for so long, the delays begin anew; default 10,000 */
    uint32_t reconnect_attempts;  /**< in a row without a stable session, then it is closed; default
                                     no  limit */

    uint64_t inbox_bytes; /**< without a handler: messages waiting before the server is read no
                               further; default 4 MiB */

    /** Each change, on the client's worker. */
    void (*on_status)(wring_client *client, const wring_client_report *report, void *opts);
    void *on_status_opts;

    const wring_deflate_config *deflate; /**< permessage-deflate is offered; NULL: not */

    /** Called on the client's worker before each attempt, the first included: for tokens that
     *  expire. It may change `renewal`; what is put there is copied when it returns. The scheme
     *  may become wss only where `tls` is set or the first URL was wss.
     *  Returns WRING_OK; WRING_MORE when wring_client_renew will answer, within timeout_ms; or an
     *  error, which ends the attempt and is judged by `retry` as another failure: by default
     *  WRING_ERR_CLOSED ends the client and WRING_ERR_TIMEOUT is tried again. */
    wring_result (*renew)(wring_client *client, wring_client_renewal *renewal, void *opts);
    void *renew_opts;

    /** Where reconnecting is on: is there another attempt after this end? On the client's worker.
     *  NULL: wring_client_retry_default decides.  @param delay_ms  what would be waited, with a
     *  Retry-After of the server in it; may be changed */
    bool (*retry)(wring_client *client, const wring_client_report *report, uint32_t *delay_ms,
                  void *opts);
    void *retry_opts;

    /** Shows the handshake with the server, on the client's worker. `sent`: the upgrade request, as
     *  it goes out: credentials included. Else the first bytes, at most 512, of an answer that was
     *  neither an upgrade nor a refusal, raw: wring_text_printable before they reach a terminal. */
    void (*on_handshake)(wring_client *client, bool sent, wring_bytes bytes, void *opts);
    void *on_handshake_opts;
} wring_client_config;

/** The rule of clients without a `retry`. Final are errors of the caller's own
 * (WRING_CLASS_CALLER); answers of 3xx and 4xx except 408, 425 and 429, and 501 and 505; a server's
 * close codes 4000 to 4999; and its 1008 when the session was not stable. All else is tried again.
 * Thread: any. */
WRING_API bool wring_client_retry_default(const wring_client_report *report);

/** Makes a client and begins to connect. Delays grow twofold from reconnect_min_ms, and each is
 *  drawn evenly from zero to that bound, so that a crowd does not come back at once.
 *  @param config  NULL takes every default
 *  Own:    give, until wring_client_destroy
 *  Errors: WRING_ERR_INVALID_URL, WRING_ERR_INVALID_HEADER, WRING_ERR_INVALID_CONFIG,
 *          WRING_ERR_TLS_CONFIG, WRING_ERR_CLOSED (no such loop), WRING_ERR_QUEUE_FULL,
 *          WRING_ERR_NO_MEMORY; `error` says which value is meant
 *  Thread: any. RFC: 6455 4.1 */
WRING_API WRING_MUST_CHECK wring_result wring_connect(wring_loop loop, const char *url,
                                                      const wring_client_config *config,
                                                      wring_client **out, wring_error *error);

/** Answers a `renew` that returned WRING_MORE. Everything is copied. A URL or header that is wrong
 *  is no error of this call: it ends the attempt, as an error from `renew` does.
 *  @param result   WRING_OK, or the error that ends the attempt
 *  @param renewal  NULL: URL and headers as in the last attempt; `attempt` is ignored
 *  Errors: WRING_ERR_INVALID_ARGUMENT (`result` is WRING_MORE, or a count or length with NULL),
 *  WRING_ERR_INVALID_STATE (nothing is asked for: the attempt is over, or was answered),
 *  WRING_ERR_CLOSED, WRING_ERR_QUEUE_FULL, WRING_ERR_NO_MEMORY.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_client_renew(wring_client *client,
                                                           wring_result result,
                                                           const wring_client_renewal *renewal);

/** Begins the close handshake and ends reconnecting; twice is legal. What the server sends before
 *  its close frame still comes: an inbox left full delays the end by session.close_timeout_ms.
 *  Thread: any. */
WRING_API void wring_client_close(wring_client *client, uint16_t code, wring_bytes reason);

/** Closes with 1000 if it is open, and gives the client up: it is freed when its worker is done
 *  with it, and messages nobody received are dropped. NULL is legal.
 *  Thread: any, callbacks included. */
WRING_API void wring_client_destroy(wring_client *client);

/** The session at hand; WRING_REF_NONE when it is not open.   Thread: any. */
WRING_API wring_ref wring_client_ref(const wring_client *client);

WRING_API wring_client_status wring_client_get_status(const wring_client *client);

/** Round trip of the last keepalive ping in ns, 0 before the first (session.ping_interval_ms).
 *  Thread: any. */
WRING_API uint64_t wring_client_rtt_ns(const wring_client *client);

/** Sends frames, in order and together. Errors as wring_send; WRING_ERR_CLOSED when it is not open.
 *  Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_client_send(wring_client *client,
                                                          const wring_frame *frames, size_t count);

/* ---- the blocking style: any thread but a worker --------------------------------------------- */

/** Waits until it is open.  Errors: WRING_ERR_TIMEOUT; when it is closed, why: `error` says more.
 */
WRING_API WRING_MUST_CHECK wring_result wring_client_wait(wring_client *client, uint32_t timeout_ms,
                                                          wring_error *error);

/** The next text or binary message of a client without handler. `message` is borrowed until the
 *  next call. One receiving thread at a time.
 *  Errors: WRING_ERR_TIMEOUT; WRING_ERR_CLOSED when it is closed and nothing is left. */
WRING_API WRING_MUST_CHECK wring_result wring_client_receive(wring_client *client,
                                                             uint32_t timeout_ms,
                                                             wring_message *message);

/** Sends one frame and waits for the next message: a request and its answer.
 *  Errors: those of wring_client_send and wring_client_receive. */
WRING_API WRING_MUST_CHECK wring_result wring_client_exchange(wring_client *client,
                                                              const wring_frame *frame,
                                                              uint32_t timeout_ms,
                                                              wring_message *answer);

/** Waits until it is closed for good.  @param end  how the last session ended; NULL is legal
 *  Errors: WRING_ERR_TIMEOUT. */
WRING_API WRING_MUST_CHECK wring_result wring_client_wait_closed(wring_client *client,
                                                                 uint32_t timeout_ms,
                                                                 wring_end *end);

WRING_END_DECLS

#endif
