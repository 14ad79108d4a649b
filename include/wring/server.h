/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket server: pinned worker threads, each with its own ring, listener and connections.
 *
 *     static const wring_handler echo = {.struct_size = sizeof echo, .handle_in = on_message};
 *     wring_server_config config = {.struct_size = sizeof config, .port = 8080, .handler = &echo};
 *     wring_server *server;
 *     if (wring_server_create(&config, &server, &error) != WRING_OK ||
 *         wring_server_start(server, &error) != WRING_OK) { ... error.text ... }
 */
#ifndef WRING_SERVER_H
#define WRING_SERVER_H

#include "wring/backend.h"
#include "wring/exchange.h"
#include "wring/handler.h"
#include "wring/http2.h"
#include "wring/log.h"
#include "wring/loop.h"
#include "wring/policy.h"
#include "wring/tls.h"
#include "wring/topic.h"

WRING_BEGIN_DECLS

/** What a path leads to: WebSockets, exchanges, or both. */
typedef struct wring_route {
    uint32_t struct_size; /**< sizeof(wring_route) */
    const char *path;     /**< begins with '/'. Compared with the percent-decoded path, segment by
                           segment: exact; `{name}` for any one segment that is not empty; or with a
                           '*' at its end, which matches any rest */
    const wring_handler *handler;    /**< of WebSockets; NULL: none here */
    void *opts;                      /**< given to the callbacks of all three handlers */
    const char *const *subprotocols; /**< a client has to offer one of them, or gets 400; the first
                                          one it offers wins, unless the upgrade is accepted with
                                          another */
    size_t subprotocol_count;        /**< elements of it */
    const wring_policy *policy;      /**< what is different here from the server's; NULL: nothing */
    const char *methods; /**< of exchanges, such as "GET, POST"; default "GET". HEAD comes with GET;
                              OPTIONS is answered by the server if no route of the path has it; "*":
                              all but CONNECT and TRACE */
    const wring_http_handler *http;    /**< of exchanges; NULL: none here */
    const wring_http_handler *upgrade; /**< decides over upgrades to `handler`, after the checks of
                                            RFC 6455 and of the Origin; NULL: accepts them */
    const char *const *origins;        /**< Origins that are allowed besides the request's own host:
                                     "https://example.com", or "*" for any. An upgrade of another
                                     Origin gets 403; one without an Origin (not a browser) passes
                                     */
    size_t origin_count;               /**< elements of it */
    uint64_t body_bytes_max;           /**< of a request's body, else 413; default: the server's */
} wring_route;

/** What a server is made from. 0 and NULL take the default. Copied with every record it points to:
 *  routes, handlers, policies, rules. Strings and `opts` are borrowed until wring_server_destroy.
 */
typedef struct wring_server_config {
    uint32_t struct_size; /**< sizeof(wring_server_config) */
    uint16_t port;        /**< 0: picked by the system, see wring_server_port */
    bool share_port;      /**< other servers may listen at the same port, such as the one that
                                replaces this one: the kernel spreads connections over all of them.
                                Default: when another program listens there, starting fails */
    bool unpinned;        /**< do not pin workers to CPUs */
    const char *host;     /**< numeric address; default "127.0.0.1" */
    uint32_t workers;     /**< threads; default one per CPU this process may run on. All servers and
                                pools of a process have 255 together */
    wring_backend backend; /**< default WRING_BACKEND_AUTO */

    /* what is served */
    const wring_handler *handler;    /**< short for one route that matches every path */
    void *handler_opts;              /**< given to the handler's init */
    const char *const *subprotocols; /**< of that route, as in wring_route */
    size_t subprotocol_count;        /**< elements of it */
    const wring_route *routes;       /**< tried in order; the first match wins. One that could never
                                          be reached is refused */
    size_t route_count;              /**< elements of it */
    const wring_policy *policy; /**< of all sessions; routes may have their own; NULL: defaults */
    const wring_topic_rule *topic_rules; /**< tried in order; the first match wins */
    size_t topic_rule_count;             /**< elements of it */
    uint32_t coalesce_us;     /**< what is published to a topic within this time, rounded up to
                                   milliseconds, leaves as one send for each subscriber; default
                                   WRING_OFF: what is published within a turn of the worker. What
                                   waits for
                               a session that closes itself is lost */
    uint32_t drain_spread_ms; /**< when stopping, closes are spread over this time; WRING_OFF:
                                   all at once; default 1 ms each, half of drain_ms at most */
    const wring_tls_server_config *tls; /**< wss:// instead of ws://; NULL: plain */
    const wring_http2_config *http2;    /**< HTTP/2 beside HTTP/1.x: with TLS by ALPN, which offers
                                             "h2" and "http/1.1" where tls->alpn names nothing;
                                             without it where http2->cleartext says so. NULL:
                                             HTTP/1.x only */
    const wring_log_config *log;        /**< NULL: no log */

    /* handshakes */
    uint32_t
        handshake_timeout_ms; /**< accept to the end of the upgrade, and for each request's head;
                                   default
                                         15,000 */
    uint32_t handshake_bytes_max; /**< any request's head; default 64 KiB */
    uint32_t target_bytes_max;    /**< request target, a part of the head: not above
                                       handshake_bytes_max; default 8 KiB */
    uint64_t handshakes_max;      /**< unfinished, per worker: one more ends the oldest; default
                                        16,384 */
    uint64_t handshakes_per_source_max; /**< unfinished, of one address; default WRING_UNLIMITED */
    uint64_t tls_handshakes_per_second; /**< TLS handshakes begun, per worker, and this many at
                                             once: one more is closed unread; default
                                             WRING_UNLIMITED */

    /* exchanges */
    uint32_t keep_alive_timeout_ms; /**< a connection without a request is closed; default 60,000;
                                         WRING_OFF: no keep-alive, one exchange a connection */
    uint32_t body_timeout_ms; /**< for a request's body, and 1 s more for each KiB of it that came;
                                     default 30,000 */
    uint32_t answer_timeout_ms; /**< from the request to the begin of its answer, else 503. Then for
                                     any of the answer's bytes that wait to move, else the
                                     connection is cut. With nothing to send, such as a quiet event
                                     stream, it cuts only a client that has closed its own
                                     direction. Default 60,000 */
    uint64_t body_bytes_max;    /**< of a request's body, else 413; default 1 MiB */
    uint64_t exchanges_max;     /**< of one connection; default WRING_UNLIMITED */
    const char *const *trusted_proxies; /**< addresses or networks ("10.0.0.0/8") whose
                                             X-Forwarded-Host is the request's host for the Origin
                                             rule; "unix" for Unix sockets */
    size_t trusted_proxy_count;         /**< elements of it */

    /* connections and memory */
    uint64_t connections_max;            /**< per worker; default 1,048,576 */
    uint64_t connections_total_max;      /**< of all workers together; default WRING_UNLIMITED */
    uint64_t connections_per_source_max; /**< of one address (IPv6: of one /64); default
                                              WRING_UNLIMITED */
    uint64_t pause_bytes;         /**< queued to a peer above which nothing more is read from it;
                                       default 1 MiB */
    uint64_t memory_budget_bytes; /**< queues and messages of all workers together; default half of
                                       the memory of the machine or, if less, of its control group
                                       (memory.max) */

    /* workers */
    uint32_t backlog;              /**< listen queue, per worker; default 4,096 connections */
    uint32_t receive_buffers;      /**< per worker, a power of two; default 1,024 */
    uint32_t receive_buffer_bytes; /**< default 16 KiB and a header */
    uint32_t ring_entries;  /**< io_uring: submission queue entries per worker; default 1,024 */
    uint32_t mailbox_items; /**< per worker; default 65,536 */
    uint32_t busy_poll_us;  /**< a worker with nothing to do looks for work for this time before it
                                 sleeps; default WRING_OFF, at most 1,000,000 */
} wring_server_config;

/** Fills in every default, as wring_server_create does, for showing the configuration; those of
 *  its policy are wring_policy_adopt's.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_server_config_adopt(const wring_server_config *in,
                                                                  wring_server_config *out,
                                                                  wring_error *error);

/** Checks the configuration and makes a server; nothing runs yet.
 *  Own: give, until wring_server_destroy.  Errors: WRING_ERR_INVALID_CONFIG (the text names the
 *  field), WRING_ERR_TLS_CONFIG (it names the file), WRING_ERR_NO_MEMORY. */
WRING_API WRING_MUST_CHECK wring_result wring_server_create(const wring_server_config *config,
                                                            wring_server **out, wring_error *error);

/** Binds, starts the workers, and returns when all of them accept. A stopped server may be started
 *  again.
 *  Errors: WRING_ERR_ADDRESS, WRING_ERR_BACKEND, WRING_ERR_SYSTEM, WRING_ERR_INVALID_CONFIG (the
 *          environment's WRING_BACKEND names no backend, or there are more than 255 workers),
 *          WRING_ERR_INVALID_STATE (it runs already). Then nothing new is left running. */
WRING_API WRING_MUST_CHECK wring_result wring_server_start(wring_server *server,
                                                           wring_error *error);

/** Reads the files of config.tls again, for new connections; those that are open keep what they
 *  have. A file that cannot be used leaves everything as it was.
 *  Errors: WRING_ERR_TLS_CONFIG (the text names the file and why), WRING_ERR_INVALID_STATE (no
 *  TLS), WRING_ERR_NO_MEMORY.   Thread: any but a worker's. Cost: milliseconds. */
WRING_API WRING_MUST_CHECK wring_result wring_server_reload_tls(wring_server *server,
                                                                wring_error *error);

/** The port in use; 0 when the server does not run.   Thread: any. */
WRING_API uint16_t wring_server_port(const wring_server *server);

/** How many workers the server has.   Thread: any. */
WRING_API uint32_t wring_server_worker_count(const wring_server *server);

/** A worker as the home of clients, from 0; WRING_LOOP_NONE while it does not run.   Thread: any.
 */
WRING_API wring_loop wring_server_loop(const wring_server *server, uint32_t worker);

/** Replaces the policy of a route, or of the whole server, while it runs. No session is dropped:
 * open sessions have the new limits, rates and marks from their next message or timeout on;
 * age_max_ms and compression count for new sessions. Routes without a value of their own take the
 * server's new one.
 *  @param path    a route's, as it was configured (of several with the same path the first); NULL:
 *                 the server's own policy, which `handler` of the configuration has
 *  @param policy  copied; takes the place of the old one as a whole; NULL: nothing is set
 *  Errors: WRING_ERR_INVALID_CONFIG (`error` names the field), WRING_ERR_INVALID_ARGUMENT (no such
 *          route), WRING_ERR_NO_MEMORY. Then nothing has changed. Else the change is complete when
 *          this returns, and each worker takes it over in its next turn
 *  Thread: any */
WRING_API WRING_MUST_CHECK wring_result wring_server_set_policy(wring_server *server,
                                                                const char *path,
                                                                const wring_policy *policy,
                                                                wring_error *error);

/** A visit to the sessions of one worker. */
typedef struct wring_visit {
    uint32_t struct_size; /**< sizeof(wring_visit) */
    /** For each session, on its worker. All calls of wring/session.h are legal, and the verdict is
     *  obeyed as that of another callback. */
    wring_verdict (*session)(wring_session *session, void *opts);
    /** Optional. Once, at the end, on the worker; or on the thread that stops the server when that
     *  comes first: then `is_whole` is false. */
    void (*done)(uint64_t visited, bool is_whole, void *opts);
    void *opts; /**< given to both; borrowed until `done` was called */
} wring_visit;

/** Visits the open sessions of a worker. A session that is open from this call to the end of the
 *  visit is visited exactly once; one that comes or goes meanwhile, once or not at all.
 *  @param worker  from 0
 *  @param visit   copied
 *  Errors: WRING_ERR_INVALID_ARGUMENT (no such worker), WRING_ERR_CLOSED (it does not run),
 *          WRING_ERR_QUEUE_FULL, WRING_ERR_NO_MEMORY. Then nothing of `visit` is called.
 *  Thread: any. Cost: at most 1,024 sessions in a turn of the worker */
WRING_API WRING_MUST_CHECK wring_result wring_server_visit(wring_server *server, uint32_t worker,
                                                           const wring_visit *visit);

/** Stops: no more accepts; when all connections are gone or `drain_ms` is over the workers end.
 *  Blocks until then. What becomes of what is open:
 *  - Sessions are closed with 1001. Those that are left when `drain_ms` is over are cut off: their
 *    `terminate` gets WRING_ERR_TIMEOUT.
 *  - Exchanges go on: they may be answered, also by their refs, and the connection ends behind the
 *    answer. Those that are left when `drain_ms` is over are cut off: `done` gets
 *    WRING_ERR_CLOSED. An event stream never ends by itself: end it, or stopping takes `drain_ms`.
 *  - Upgrades that nobody decided over yet get 503, and `done` WRING_ERR_CLOSED.
 *  - Kept connections without a request have half a second (at most half of `drain_ms`) for one
 *    more, which is served. Then they are closed. So handlers may still be called: an application
 *    that ends its event streams first has to refuse new ones by a flag of its own.
 *  - Connections that did not begin a first request have that time too; then they get 503.
 *  - `drain_ms` 0 cuts everything off at once.
 *  Thread: any except the server's workers: a callback that called it would wait for itself, and
 *          the program is aborted. create, start, stop and destroy of one server by one thread at a
 *          time */
WRING_API void wring_server_stop(wring_server *server, uint32_t drain_ms);

/** Frees a stopped server: one that runs is an error of the program, which is aborted. NULL is
 *  legal.
 *  Thread: as wring_server_stop */
WRING_API void wring_server_destroy(wring_server *server);

/** Sums over all workers since the server was created, also while it is stopped. The caller zeroes
 *  it except for struct_size and, where it is wanted, `deflate`. */
typedef struct wring_server_stats {
    uint32_t struct_size;    /**< sizeof(wring_server_stats), set by the caller */
    uint64_t connections;    /**< open now */
    uint64_t accepted;       /**< connections since the start */
    uint64_t accept_errors;  /**< times that accepting failed */
    uint32_t accept_errno;   /**< of the last of them; 0: none */
    uint64_t closed;         /**< connections since the start */
    uint64_t rx_bytes;       /**< received; with TLS as it came */
    uint64_t tx_bytes;       /**< sent; with TLS as it went */
    uint64_t turns;          /**< rounds of the workers */
    uint64_t mail_refused;   /**< pushes that found a mailbox full */
    uint64_t mail_stale;     /**< mail for a session that was gone */
    uint64_t mail_lost;      /**< what other threads handed over in vain: frames of wring_ref_send
                                  (close frames aside), posted infos and subscriptions whose session
                                  was gone, had begun to close, or was ended because it was slow.
                                  Includes what mail_stale carried, and what waited behind a message
                                  in fragments when its session ended */
    uint64_t reads_paused;   /**< times a connection was not read because its queue was full */
    uint64_t congested;      /**< times a connection went above its soft mark */
    uint64_t dropped_newest; /**< messages, and frames of wring_ref_send, that found a connection at
                                  its hard mark */
    uint64_t dropped_oldest; /**< messages that waited and were dropped */
    uint64_t dropped_replaced;   /**< messages that waited and were replaced by a newer one */
    uint64_t slow_ended;         /**< sessions ended with WRING_ERR_SLOW_CONSUMER */
    uint64_t rate_ended;         /**< sessions ended with WRING_ERR_RATE_LIMIT */
    uint64_t too_old;            /**< sessions closed at their maximum age */
    uint64_t refused_total;      /**< connections over connections_total_max */
    uint64_t refused_source;     /**< connections over a limit of their address */
    uint64_t memory_held_bytes;  /**< bytes that count for memory_budget_bytes, now */
    uint64_t memory_stops;       /**< times a worker stopped reading for the budget */
    uint64_t memory_evicted;     /**< sessions ended with WRING_ERR_MEMORY_BUDGET */
    uint64_t refused_memory;     /**< connections refused for the budget */
    uint64_t handshakes_evicted; /**< unfinished ones that had to go for a newer one */
    uint64_t refused_tls_rate;   /**< connections over tls_handshakes_per_second */

    uint64_t deflate_connections;            /**< open now, with permessage-deflate */
    uint64_t deflate_published;              /**< times a published message was compressed */
    uint64_t deflate_published_bytes_before; /**< their payloads */
    uint64_t deflate_published_bytes_after;  /**< ... compressed */
    wring_deflate_stats *deflate; /**< room for the counts of single connections' messages, given
                                       by the caller; NULL: not wanted */

    uint64_t rx_messages;   /**< text and binary messages that handlers were given */
    uint64_t tx_messages;   /**< text and binary messages sent: a publication counts once for each
                                 subscriber, also for those it was dropped for */
    uint64_t subscriptions; /**< now */
    uint64_t topics;        /**< with subscribers, now; a topic counts once on each worker */
    uint64_t sessions;      /**< open now, of all connections */
    uint64_t upgraded;      /**< sessions since the start */
    uint64_t exchanges;     /**< requests since the start; not upgrades that nobody decided over */

    uint64_t http2_connections; /**< open now, of HTTP/2; they count in `connections` as well */
    uint64_t http2_streams;     /**< requests and WebSockets on them, since the start */
    uint64_t http2_refused;     /**< streams that found no room (REFUSED_STREAM) */
    uint64_t http2_calmed;      /**< connections ended with ENHANCE_YOUR_CALM */

    wring_backend backend;      /**< which one it runs on; AUTO before the first start */
    const char *backend_reason; /**< a sentence; the server's, until its next start */
} wring_server_stats;

/** How many connections and requests this server refused for `reason`, and how many sessions and
 *  handshakes ended for it, since its start. WRING_OK: sessions that ended by a close handshake.
 *  To list all reasons, walk WRING_RESULT_TABLE.
 *  Thread: any. Cost: a walk over the workers */
WRING_API uint64_t wring_server_refusals(const wring_server *server, wring_result reason);

/** Reads the counters.  @param out  its struct_size set, and `deflate` where it is wanted
 *  Errors: WRING_ERR_INVALID_ARGUMENT without struct_size.   Thread: any. */
WRING_API wring_result wring_server_get_stats(const wring_server *server, wring_server_stats *out);

WRING_END_DECLS

#endif
