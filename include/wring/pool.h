/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads for clients (wring/client.h) of a program that has no server.
 */
#ifndef WRING_POOL_H
#define WRING_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "wring/backend.h"
#include "wring/log.h"
#include "wring/loop.h"
#include "wring/result.h"

WRING_BEGIN_DECLS

/** Threads for clients. */
typedef struct wring_pool wring_pool;

/** What a pool is made from. 0 takes the default. */
typedef struct wring_pool_config {
    uint32_t struct_size;          /**< sizeof(wring_pool_config) */
    uint32_t threads;              /**< default 1, most 255 */
    uint32_t receive_buffers;      /**< per thread, a power of two; default 1,024 */
    uint32_t receive_buffer_bytes; /**< bytes; default 16 KiB and a header */
    uint32_t ring_entries;  /**< io_uring: submission queue entries per thread; default 1,024 */
    uint32_t mailbox_items; /**< per thread; default 65,536 */
    uint64_t pause_bytes;   /**< queued to a server above which nothing more is read from it;
                                 default WRING_UNLIMITED: two ends that both wait for each other's
                                 reading would wait for ever. For handlers that answer servers
                                 they do not trust */
    bool pinned;            /**< one CPU for each thread */
    wring_backend backend;  /**< default WRING_BACKEND_AUTO */
    const wring_log_config *log; /**< NULL: no log */
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
    uint32_t struct_size;  /**< sizeof(wring_pool_stats), set by the caller */
    uint64_t rx_bytes;     /**< received; with TLS as it came */
    uint64_t tx_bytes;     /**< sent; with TLS as it went */
    uint64_t rx_messages;  /**< text and binary messages that came whole */
    uint64_t tx_messages;  /**< text and binary messages queued to servers */
    uint64_t turns;        /**< rounds of the threads */
    uint64_t mail_refused; /**< pushes that found a mailbox full */
    uint64_t mail_stale;   /**< mail for a session that was gone */
    uint64_t mail_lost;    /**< frames that were sent, and infos that were posted, too late: their
                                session was gone or had begun to close */
    wring_backend backend; /**< which one it runs on */
    const char *backend_reason; /**< a sentence; the pool's */
} wring_pool_stats;

/** Reads the counters. Clients on a server's workers are in the server's statistics.
 *  @param out  its struct_size set
 *  Errors: WRING_ERR_INVALID_ARGUMENT without struct_size.   Thread: any. */
WRING_API wring_result wring_pool_get_stats(const wring_pool *pool, wring_pool_stats *out);

/** Closes every client with 1001, waits at most `drain_ms` for their servers, ends the threads and
 *  frees the pool. Clients stay valid, and closed. To call this from a callback on a thread
 *  of the pool is an error of the program, which is aborted. NULL is legal. */
WRING_API void wring_pool_destroy(wring_pool *pool, uint32_t drain_ms);

WRING_END_DECLS

#endif
