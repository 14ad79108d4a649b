/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket server: N pinned workers, each with its own ring, listener and connections.
 *
 *     wring_server *server;
 *     wring_server_config config = {.struct_size = sizeof config, .port = 8080,
 *                                   .handler = &echo_handler};
 *     if (wring_server_create(&config, &server, &error) != WRING_OK || ...
 */
#ifndef WRING_SERVER_H
#define WRING_SERVER_H

#include "wring/backend.h"
#include "wring/deflate.h"
#include "wring/handler.h"
#include "wring/http.h"
#include "wring/loop.h"

WRING_BEGIN_DECLS

typedef struct wring_server wring_server;

/** A plain HTTP answer. Everything is borrowed until the callback's caller has copied it. */
typedef struct wring_http_response {
    int status;               /**< default 200 */
    const char *content_type; /**< default "text/plain; charset=utf-8" */
    wring_bytes body;
} wring_http_response;

/** What a path leads to: a WebSocket handler, or a callback that answers plain HTTP. */
typedef struct wring_route {
    const char *path; /**< exact; "/topic/" followed by '*' matches any rest */
    const wring_handler *handler;
    void *opts;                      /**< passed to handler->init or respond */
    const char *const *subprotocols; /**< one of them must be offered; the first offered wins */
    size_t subprotocol_count;
    /** Answers a GET without upgrade, on a worker thread; NULL for a WebSocket route. */
    void (*respond)(const wring_request *request, wring_http_response *response, void *opts);
} wring_route;

/** What becomes of a message published to a peer that does not keep up. */
typedef enum wring_slow_policy {
    WRING_SLOW_DEFAULT,
    WRING_SLOW_DISCONNECT,  /**< at the hard mark the session ends with WRING_ERR_SLOW_CONSUMER:
                               1008,  or 1013 with allow_iana_close_codes. The server's default */
    WRING_SLOW_DROP_NEWEST, /**< at the hard mark the message is dropped */
    WRING_SLOW_DROP_OLDEST, /**< above the soft mark messages wait, and at the hard mark those that
                                 wait longest are dropped. What else is sent may overtake them */
    WRING_SLOW_KEEP_LATEST  /**< the same, and of those that wait only the newest of each topic and
                                 key is kept */
} wring_slow_policy;

/** How topics behave whose name matches. */
typedef struct wring_topic_rule {
    const char *name;              /**< exact; a '*' at its end matches any rest */
    wring_slow_policy slow_policy; /**< WRING_SLOW_DEFAULT: the server's */
    uint32_t coalesce_us;          /**< 0: the server's; WRING_OFF: none */
} wring_topic_rule;

/** 0 and NULL take the default. Copied; what it points to (routes, handlers, opts, strings) is
 *  borrowed until wring_server_destroy. */
typedef struct wring_server_config {
    uint32_t struct_size; /**< sizeof(wring_server_config) */
    uint16_t port;        /**< 0: picked by the system, see wring_server_port */
    const char *host;     /**< numeric address; default "127.0.0.1" */
    uint32_t workers;     /**< threads; default one per CPU this process may run on, most 255 */

    const wring_handler *handler; /**< short for one route that matches every path */
    void *handler_opts;
    const char *const *subprotocols;
    size_t subprotocol_count;
    const wring_route *routes; /**< tried in order; the first match wins */
    size_t route_count;

    wring_session_config session;  /**< limits and timeouts of each session; role is ignored */
    uint32_t handshake_timeout_ms; /**< accept to the end of the upgrade; default 15,000 */
    uint32_t max_handshake_size;   /**< bytes of a request head; default 64 KiB */
    uint32_t max_target_size;      /**< bytes of a request target; default 8 KiB */
    uint32_t max_connections;      /**< per worker; default 1,048,576 */
    uint32_t backlog;              /**< listen queue per worker; default 4,096 */
    uint64_t pause_bytes;          /**< queued to a peer before its bytes are read no further;
                                        default 1 MiB */
    uint32_t receive_buffers;      /**< per worker, a power of two; default 1,024 */
    uint32_t receive_buffer_size;  /**< bytes; default 16 KiB and a header */
    uint32_t ring_entries;      /**< io_uring: submission queue entries per worker; default 1,024 */
    uint32_t mailbox_items;     /**< per worker; default 65,536 */
    uint32_t busy_poll_us;      /**< a worker with nothing to do looks for work so long
                                     before it sleeps; default 0, most 1,000,000 */
    uint32_t max_subscriptions; /**< topics per connection; default 1,024 */
    bool unpinned;              /**< do not pin workers to CPUs */
    const wring_tls_server_config *tls;  /**< wss:// instead of ws://; NULL: plain */
    const wring_deflate_config *deflate; /**< permessage-deflate is accepted; NULL: never */

    uint64_t send_soft_bytes;      /**< queued to a peer before it counts as slow; default 64 KiB */
    uint64_t send_hard_bytes;      /**< queued before wring_send is refused and `slow_policy` acts;
                                        default twice pause_bytes. Replies are taken up to
                                        session.max_message more */
    wring_slow_policy slow_policy; /**< default WRING_SLOW_DISCONNECT */
    uint32_t slow_timeout_ms;      /**< above the soft mark for so long ends the session, whatever
                                        the policy; default off */
    uint32_t coalesce_us;          /**< what is published to a topic within so long, rounded up to
                                        milliseconds, leaves as one send for each subscriber;
                                        default off: with the turn */
    uint64_t memory_budget;        /**< bytes of queues and messages, of all workers together;
                                        default half of the memory of the machine or, if less,
                                        of its control group (memory.max) */
    uint32_t drain_spread_ms; /**< when stopping, closes are spread over so long; WRING_OFF: all at
                                   once; default a millisecond each, half of drain_ms at most */
    uint32_t max_connections_total; /**< of all workers together; default unlimited */
    uint32_t
        max_connections_per_source;     /**< of one address (IPv6: of one /64); default unlimited */
    uint32_t max_handshakes;            /**< unfinished ones, per worker: one more ends the oldest;
                                             default 16,384 */
    uint32_t max_handshakes_per_source; /**< unfinished ones of one address; default unlimited */
    uint32_t message_rate;  /**< messages a second and connection; then 1008; default unlimited */
    uint32_t message_burst; /**< ... and so many at once; default twice message_rate */
    uint32_t control_rate;  /**< the same of pings and pongs; default 100 */
    uint32_t control_burst; /**< default 500 */
    uint32_t max_age_ms;    /**< a session that old, less up to a tenth by chance, is closed with
                                 1001; default off */
    const wring_topic_rule *topic_rules; /**< tried in order; the first match wins */
    size_t topic_rule_count;
    uint32_t tls_handshake_rate; /**< TLS handshakes begun a second, per worker, and so many at
                                      once: one more is closed unread; default unlimited */
    bool share_port; /**< other servers may listen at the same port, such as the one that replaces
                          this one: the kernel spreads connections over all of them. Default: when
                          another program listens there, starting fails */
    wring_backend backend; /**< default WRING_BACKEND_AUTO */
} wring_server_config;

/** Fills in every default, as wring_server_create does; for showing the configuration. */
WRING_API WRING_MUST_CHECK wring_result wring_server_config_adopt(const wring_server_config *in,
                                                                  wring_server_config *out,
                                                                  wring_error *error);

/** Checks the configuration and makes a server; nothing runs yet.
 *  Own: give, until wring_server_destroy.  Errors: WRING_ERR_INVALID_CONFIG (the text names the
 *  field), WRING_ERR_TLS_CONFIG (it names the file), WRING_ERR_NO_MEMORY. */
WRING_API WRING_MUST_CHECK wring_result wring_server_create(const wring_server_config *config,
                                                            wring_server **out, wring_error *error);

/** Binds, starts the workers, and returns when all of them accept.
 *  Errors: WRING_ERR_ADDRESS, WRING_ERR_BACKEND, WRING_ERR_SYSTEM, WRING_ERR_INVALID_CONFIG (the
 *  environment's WRING_BACKEND names no backend); then nothing is left running. */
WRING_API WRING_MUST_CHECK wring_result wring_server_start(wring_server *server,
                                                           wring_error *error);

/** Reads the files of config.tls again, for new connections; those that are open keep what they
 *  have. A file that cannot be used leaves everything as it was.
 *  Errors: WRING_ERR_TLS_CONFIG (the text names the file and why), WRING_ERR_INVALID_STATE (no
 * TLS), WRING_ERR_NO_MEMORY.   Thread: any but a worker's. Cost: milliseconds. */
WRING_API WRING_MUST_CHECK wring_result wring_server_reload_tls(wring_server *server,
                                                                wring_error *error);

/** The port in use; 0 when the server does not run.   Thread: any. */
WRING_API uint16_t wring_server_port(const wring_server *server);

/** How many workers the server has.   Thread: any. */
WRING_API uint32_t wring_server_workers(const wring_server *server);

/** A worker as the home of clients, from 0; WRING_LOOP_NONE while it does not run.   Thread: any.
 */
WRING_API wring_loop wring_server_loop(const wring_server *server, uint32_t worker);

/** The worker a session lives on, from 0; -1 for a session no server owns.   Thread: its worker. */
WRING_API int wring_session_worker(const wring_session *session);

/** Bytes queued to the peer; 0 for a session no server owns.   Thread: its worker. */
WRING_API uint64_t wring_session_queued(const wring_session *session);

/** Reads no further from the peer, so that it is slowed down by TCP: messages that are here already
 *  may still come. While paused, nothing of the session's idle and ping timeouts runs. It ends when
 *  the session is closed from here. For sessions of servers and of clients, from one of their
 *  callbacks; a session that no worker owns is left alone. */
WRING_API void wring_session_pause(wring_session *session);

/** Reads on: from handle_info or drained, as nothing else comes from a paused peer. */
WRING_API void wring_session_resume(wring_session *session);

/** Stops: no more accepts, every session is closed with 1001, and when all are gone or
 *  `drain_ms` is over the workers end. Blocks until then; not from a callback. */
WRING_API void wring_server_stop(wring_server *server, uint32_t drain_ms);

/** Frees a stopped server. NULL is legal. */
WRING_API void wring_server_destroy(wring_server *server);

/** Sums over all workers since start; read them before wring_server_stop.   Thread: any; read
 * without stopping them. */
typedef struct wring_server_stats {
    uint32_t struct_size; /**< sizeof(wring_server_stats), set by the caller */
    uint64_t connections; /**< open now */
    uint64_t accepted;
    uint64_t accept_errors;
    uint32_t accept_errno; /**< of the last of them; 0: none */
    uint64_t closed;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
    uint64_t turns;
    uint64_t mail_refused;       /**< pushes that found a mailbox full */
    uint64_t mail_stale;         /**< mail for a session that was gone */
    uint64_t mail_lost;          /**< frames of wring_send, but close frames, and posted infos that
                                      came too late: their session was gone, had begun to close, or
                                      was ended for its slow peer. Those in stale mail included,
                                      and what waited behind a message in fragments when its session
                                      ended */
    uint64_t reads_paused;       /**< times a connection was not read because its queue was full */
    uint64_t congested;          /**< times a connection went above its soft mark */
    uint64_t dropped_newest;     /**< messages, and frames of wring_send, that found a connection at
                                      its hard mark */
    uint64_t dropped_oldest;     /**< messages that waited and were dropped */
    uint64_t dropped_replaced;   /**< messages that waited and were replaced by a newer one */
    uint64_t slow_ended;         /**< sessions ended with WRING_ERR_SLOW_CONSUMER */
    uint64_t rate_ended;         /**< sessions ended with WRING_ERR_RATE_LIMIT */
    uint64_t too_old;            /**< sessions closed at their maximum age */
    uint64_t refused_total;      /**< connections over max_connections_total */
    uint64_t refused_source;     /**< connections over a limit of their address */
    uint64_t memory_held;        /**< bytes that count for memory_budget, now */
    uint64_t memory_stops;       /**< times a worker stopped reading for the budget */
    uint64_t memory_evicted;     /**< sessions ended with WRING_ERR_MEMORY_BUDGET */
    uint64_t refused_memory;     /**< connections refused for the budget */
    uint64_t handshakes_evicted; /**< unfinished ones that had to go for a newer one */
    uint64_t refused_tls_rate;   /**< connections over tls_handshake_rate */

    uint64_t deflate_connections; /**< open now, with permessage-deflate */
    uint64_t deflate_published;   /**< times a published message was compressed */
    uint64_t deflate_published_bytes_before;
    uint64_t deflate_published_bytes_after;
    wring_deflate_stats deflate; /**< messages of single connections */

    wring_backend backend;      /**< which one it runs on; AUTO before the first start */
    const char *backend_reason; /**< a sentence; the server's, until its next start */
} wring_server_stats;
/** Errors: WRING_ERR_INVALID_ARGUMENT without struct_size. */
WRING_API wring_result wring_server_get_stats(const wring_server *server, wring_server_stats *out);

/* ---- topics ---------------------------------------------------------------------------------- */

/** Longest topic name in bytes. */
#define WRING_TOPIC_MAX 255

/** Subscribes the session, from one of its callbacks; a second time does nothing. It ends with the
 *  session.  Errors: WRING_ERR_INVALID_ARGUMENT (empty or too long), WRING_ERR_TOO_MANY_TOPICS,
 *  WRING_ERR_NO_MEMORY, WRING_ERR_INVALID_STATE (not a server's session). */
WRING_API WRING_MUST_CHECK wring_result wring_subscribe(wring_session *session, wring_bytes topic);

/** From a callback of the session. Not being subscribed is legal. */
WRING_API void wring_unsubscribe(wring_session *session, wring_bytes topic);

/** Sends one TEXT or BINARY frame to every subscriber on every worker: framed once, shared.
 *  The messages of one thread to one topic arrive in order.
 *  Errors: WRING_ERR_INVALID_ARGUMENT, WRING_ERR_NO_MEMORY, WRING_ERR_CLOSED (no worker is up: not
 *  started, or stopped), WRING_ERR_QUEUE_FULL (at least one
 *  worker's mailbox was full; its subscribers miss the message, the others get it).
 *  Thread: any, callbacks included. Cost: one allocation, one mailbox item for each worker
 *  that has subscribers; next to nothing when there are none. */
WRING_API WRING_MUST_CHECK wring_result wring_publish(wring_server *server, wring_bytes topic,
                                                      const wring_frame *frame);

/** The same to every subscriber but the session itself, from one of its callbacks.
 *  Errors: those of wring_publish; WRING_ERR_INVALID_STATE (not a server's session). */
WRING_API WRING_MUST_CHECK wring_result wring_publish_from(wring_session *session,
                                                           wring_bytes topic,
                                                           const wring_frame *frame);

/** More of a publish. Zeroed is legal but for struct_size. */
typedef struct wring_publish_options {
    uint32_t struct_size; /**< sizeof(wring_publish_options) */
    wring_session *from;  /**< misses the message; only from one of its callbacks */
    uint64_t key;         /**< for WRING_SLOW_KEEP_LATEST: what a newer message replaces */
} wring_publish_options;

/** wring_publish with options.  Errors: as wring_publish; WRING_ERR_INVALID_ARGUMENT without
 *  struct_size; WRING_ERR_INVALID_STATE when `from` is no session of this server. */
WRING_API WRING_MUST_CHECK wring_result wring_publish_with(wring_server *server, wring_bytes topic,
                                                           const wring_frame *frame,
                                                           const wring_publish_options *options);

/** How many workers have subscribers of the topic; now and then one too many.   Thread: any. */
WRING_API uint32_t wring_topic_workers(const wring_server *server, wring_bytes topic);

WRING_END_DECLS

#endif
