/* SPDX-License-Identifier: Apache-2.0
 *
 * A client: connects to a ws:// or wss:// URL and keeps one session there, over reconnects if asked
 * to. It runs on a loop: a thread of a wring_pool, or a worker of a server (wring_server_loop).
 *
 * Two styles. With a handler, callbacks run on the loop's thread as a server's do; `init` is called
 * for each new connection, which is the place to subscribe again. Without one, messages are kept
 * for wring_client_receive, and any other thread can send, wait and receive as with a socket.
 */
#ifndef WRING_CLIENT_H
#define WRING_CLIENT_H

#include "wring/handler.h"
#include "wring/http.h"
#include "wring/session.h"

WRING_BEGIN_DECLS

typedef struct wring_client wring_client;
typedef struct wring_loop wring_loop; /**< one thread that moves bytes; never freed by its user */
typedef struct wring_pool wring_pool;

/* ---- threads that run clients ---------------------------------------------------------------- */

/** 0 takes the default. */
typedef struct wring_pool_config {
    uint32_t struct_size;         /**< sizeof(wring_pool_config) */
    uint32_t threads;             /**< default 1, most 255 */
    uint32_t receive_buffers;     /**< per thread, a power of two; default 256 */
    uint32_t receive_buffer_size; /**< bytes; default 16 KiB */
    uint32_t ring_entries;        /**< submission queue entries per thread; default 256 */
    uint32_t mailbox_items;       /**< per thread; default 65,536 */
    uint64_t pause_bytes;         /**< queued to a peer before its bytes are read no further;
                                       default 1 MiB */
    bool pinned;                  /**< each thread to a CPU of its own */
} wring_pool_config;

/** Starts the threads.  @param config  NULL takes every default
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_BACKEND, WRING_ERR_SYSTEM, WRING_ERR_NO_MEMORY.
 *  Own: give, until wring_pool_destroy. */
WRING_API WRING_MUST_CHECK wring_result wring_pool_create(const wring_pool_config *config,
                                                          wring_pool **out, wring_error *error);

/** Closes every client with 1001, waits up to `drain_ms`, ends the threads. NULL is legal.
 *  Clients stay the caller's to destroy. Not from a callback. */
WRING_API void wring_pool_destroy(wring_pool *pool, uint32_t drain_ms);

/** The next thread's loop, in turn.   Thread: any. */
WRING_API wring_loop *wring_pool_loop(wring_pool *pool);

/* ---- clients --------------------------------------------------------------------------------- */

/** Trust and identity for wss://. Zeroed: the system's authorities, and the host must match. */
typedef struct wring_client_tls {
    const char *ca_file;     /**< PEM; in place of the system's authorities */
    const char *cert_file;   /**< PEM, with key_file: the client's own certificate */
    const char *key_file;    /**< PEM */
    const char *server_name; /**< asked for and checked in place of the URL's host */
    bool insecure;           /**< accept any certificate: for tests only */
} wring_client_tls;

/** How a lost or refused connection is tried again: after a random time below a bound that doubles
 *  from min_ms to max_ms. The bound starts anew after a connection that lasted stable_ms. */
typedef struct wring_reconnect {
    bool enabled;
    uint32_t min_ms;       /**< default 500 */
    uint32_t max_ms;       /**< default 30,000 */
    uint32_t stable_ms;    /**< default 10,000 */
    uint32_t max_attempts; /**< in a row without success; default no limit */
} wring_reconnect;

typedef enum wring_client_state {
    WRING_CLIENT_CONNECTING, /**< name, connection, proxy, TLS or handshake under way */
    WRING_CLIENT_OPEN,
    WRING_CLIENT_WAITING, /**< until the next attempt */
    WRING_CLIENT_CLOSED   /**< for good; the status says why */
} wring_client_state;

typedef struct wring_client_status {
    wring_client_state state;
    wring_result result; /**< CLOSED, WAITING: why. WRING_OK after a close handshake */
    uint16_t close_code; /**< CLOSED, WAITING: as in wring_end, 0 if never open */
    uint32_t attempts;   /**< begun since the last success */
    uint32_t retry_ms;   /**< WAITING: until the next attempt */
    uint64_t rtt_ns;     /**< the last answered keepalive ping's; 0 if none was */
    const char *text;    /**< one sentence for people; borrowed for the call */
} wring_client_status;

/** 0 and NULL take the default. Copied with all it points to, but for handler, handler_opts and
 *  what they lead to. */
typedef struct wring_client_config {
    uint32_t struct_size; /**< sizeof(wring_client_config) */

    const wring_handler *handler; /**< NULL: messages are kept for wring_client_receive */
    void *handler_opts;
    /** On the loop's thread, at each change of state. Not for the states of reconnects only. */
    void (*on_status)(wring_client *client, const wring_client_status *status, void *opts);

    const char *const *subprotocols; /**< offered, in order of preference */
    size_t subprotocol_count;
    const char *extensions; /**< the value of Sec-WebSocket-Extensions */
    const char *origin;
    wring_headers headers; /**< more request headers; CR, LF and NUL are refused */

    uint32_t timeout_ms;         /**< name to the end of the handshake; default 15,000 */
    uint32_t max_handshake_size; /**< bytes of the response head; default 64 KiB */
    uint32_t max_queued;         /**< messages kept for wring_client_receive before the peer is read
                                      no further; default 1,024 */
    wring_client_tls tls;
    const char *proxy; /**< http://, https:// or socks5:// [user:password@]host:port; "" for none;
                            NULL: ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and NO_PROXY are asked */
    wring_reconnect reconnect;
    wring_session_config session; /**< limits and timeouts; ping_interval_ms keeps it alive */
} wring_client_config;

/** Begins to connect and returns at once.
 *  Own: give, until wring_client_destroy.
 *  Errors: WRING_ERR_INVALID_URL, WRING_ERR_INVALID_CONFIG, WRING_ERR_INVALID_HEADER,
 *  WRING_ERR_TLS_CONFIG, WRING_ERR_NO_MEMORY, WRING_ERR_QUEUE_FULL. What goes wrong later is told
 * by on_status and wring_client_wait.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_connect(wring_loop *loop, const char *url,
                                                      const wring_client_config *config,
                                                      wring_client **out, wring_error *error);

/** Blocks until the client is open or closed for good.
 *  Errors: WRING_ERR_TIMEOUT; why it is closed. `error` has the sentence.
 *  Thread: any but the loop's. */
WRING_API WRING_MUST_CHECK wring_result wring_client_wait(wring_client *client, uint32_t timeout_ms,
                                                          wring_error *error);

/** Sends frames on the present connection; errors as wring_send, WRING_ERR_CLOSED between two. */
WRING_API WRING_MUST_CHECK wring_result wring_client_send(wring_client *client,
                                                          const wring_frame *frames, size_t count);

/** Blocks for the next message of a client without handler; copied into the client, good until the
 *  next call.
 *  Errors: WRING_ERR_TIMEOUT, WRING_ERR_CLOSED (closed for good and all was received),
 *  WRING_ERR_INVALID_STATE (it has a handler).   Thread: one at a time, not the loop's. */
WRING_API WRING_MUST_CHECK wring_result wring_client_receive(wring_client *client,
                                                             uint32_t timeout_ms,
                                                             wring_message *out);

/** Begins the close handshake and ends reconnecting.   Thread: any. */
WRING_API void wring_client_close(wring_client *client, uint16_t code, wring_bytes reason);

/** The present session, WRING_REF_NONE between two.   Thread: any. */
WRING_API wring_ref wring_client_ref(const wring_client *client);

/** The client a session belongs to, NULL for another's.   Thread: the session's. */
WRING_API wring_client *wring_session_client(const wring_session *session);

/** Closes if need be and frees the handle; the connection ends behind it. No callback of this
 *  client runs after it returned. NULL is legal.   Thread: any but the loop's. */
WRING_API void wring_client_destroy(wring_client *client);

WRING_END_DECLS

#endif
