/* SPDX-License-Identifier: Apache-2.0
 *
 * A log of what the library notices: starts and stops, refusals, faults, sessions that it ended.
 * Servers, clients and pools take a wring_log_config. Ordinary messages
 * are never logged, and sessions only at WRING_LOG_DEBUG. No payload, secret or request header is
 * ever in a record, except the Origin of a refused upgrade and the host it was compared with; what
 * a peer sent is made printable.
 */
#ifndef WRING_LOG_H
#define WRING_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "wring/export.h"

WRING_BEGIN_DECLS

/** How important a record is. */
typedef enum wring_log_level {
    WRING_LOG_DEFAULT, /**< in a configuration: as WRING_LOG_NOTICE */
    WRING_LOG_ERROR,   /**< something that should work does not: somebody has to act */
    WRING_LOG_WARNING, /**< a limit was reached, or something was refused because of its state */
    WRING_LOG_NOTICE,  /**< a change: started, stopping, stopped, reconfigured */
    WRING_LOG_INFO,    /**< what peers did wrong: malformed requests, broken protocols */
    WRING_LOG_DEBUG    /**< each session's begin and end */
} wring_log_level;

/** A fact of a record: `name` is lower_case, `value` is printable. */
typedef struct wring_log_field {
    const char *name;  /**< such as "peer" */
    const char *value; /**< such as "192.0.2.1:5000" */
} wring_log_field;

/** One thing that happened. The library's, borrowed for the call. */
typedef struct wring_log_record {
    uint32_t struct_size;          /**< sizeof(wring_log_record) */
    wring_log_level level;         /**< how important it is; never DEFAULT */
    const char *event;             /**< a stable name, such as "session_slow" */
    const char *text;              /**< a sentence */
    const wring_log_field *fields; /**< the facts */
    size_t field_count;            /**< elements of it */
    uint64_t repeats; /**< records of this event that were left out since the last one, because
                           there were too many */
} wring_log_record;

/** Where records go. Copied; `opts` is borrowed for the life of what it is given to. */
typedef struct wring_log_config {
    uint32_t struct_size;  /**< sizeof(wring_log_config) */
    wring_log_level level; /**< the least important level that is wanted */
    /** Is called on whichever thread the thing happens, several at a time: a worker waits for it,
     *  so it must not block. It must not call functions of the server, client or pool it is for.
     *  Required: for no log, give no wring_log_config. */
    void (*write)(const wring_log_record *record, void *opts);
    void *opts;                  /**< given to `write` */
    uint32_t repeat_burst;       /**< records of one event in an interval; more are left out and
                                      counted in the next one's `repeats`; default 10; WRING_OFF:
                                      none is left out */
    uint32_t repeat_interval_ms; /**< default 10,000 */
} wring_log_config;

/** "error", "warning", "notice", "info", "debug"; "" for none of them.   Thread: any. */
WRING_API const char *wring_log_level_name(wring_log_level level);

WRING_END_DECLS

#endif
