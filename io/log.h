/* SPDX-License-Identifier: Apache-2.0
 *
 * Records for the application's log: built here, given to its callback, and left out when one event
 * comes too often (wring/log.h).
 *
 *     wring__log_entry entry;
 *     if (wring__log_begin(&entry, log, WRING__LOG_STARTED)) {
 *         wring__log_number(&entry, "port", port);
 *         wring__log_write(&entry, "listening on %s:%u", host, port);
 *     }
 *
 * Thread: any, several at a time.
 */
#ifndef WRING_IO_LOG_H
#define WRING_IO_LOG_H

#include <stdatomic.h>

#include "core/base.h"
#include "io/log_events.h"
#include "wring/log.h"

/** Names of the application's that have a limit of their own; further ones share one. */
#define WRING__LOG_OWN_MAX 32

typedef struct wring__log_meter {
    _Atomic uint64_t since_ms; /* the beginning of the interval */
    _Atomic uint32_t count;    /* records in it */
    _Atomic uint64_t left_out; /* since the last one written */
} wring__log_meter;

typedef struct wring__log {
    wring_log_config config; /* adopted; config.write is NULL: there is no log */
    wring__log_meter meters[WRING__LOG_EVENT_COUNT];
    struct wring__log_own { /* events of the application's, by their names */
        _Atomic uint64_t hash;
        char name[48]; /* written by who took the place */
        wring__log_meter meter;
    } own[WRING__LOG_OWN_MAX];
} wring__log;

#define WRING__LOG_FIELDS_MAX 8
#define WRING__LOG_TEXT_MAX   512

typedef struct wring__log_entry {
    wring__log *log;
    wring_log_record record;
    wring_log_field fields[WRING__LOG_FIELDS_MAX];
    size_t used; /* of `values` */
    char values[WRING__LOG_TEXT_MAX];
    char text[WRING__LOG_TEXT_MAX];
} wring__log_entry;

/** @param config  the application's; NULL: no log
 *  Errors: WRING_ERR_INVALID_CONFIG. */
WRING_MUST_CHECK wring_result wring__log_init(wring__log *log, const wring_log_config *config,
                                              wring_error *error);

/** Whether anything of this event's level is wanted. Cheap: for callers that gather facts first. */
bool wring__log_wants(const wring__log *log, enum wring__log_event event);

/** False: it is not wanted, or left out and counted. `log` may be NULL. */
WRING_MUST_CHECK bool wring__log_begin(wring__log_entry *entry, wring__log *log,
                                       enum wring__log_event event);

/** The same for a record of the application's. */
WRING_MUST_CHECK bool wring__log_begin_as(wring__log_entry *entry, wring__log *log,
                                          wring_log_level level, const char *event);

/** Adds a field. What has no room is cut. Bytes of a peer are made printable.
 *  Own: `name` is static. */
void wring__log_text(wring__log_entry *entry, const char *name, const char *value);
void wring__log_bytes(wring__log_entry *entry, const char *name, wring_bytes value);
void wring__log_number(wring__log_entry *entry, const char *name, uint64_t value);

/** Writes it, with the sentence. */
void wring__log_write(wring__log_entry *entry, const char *format, ...) WRING_PRINTF(2, 3);

/** The same with a text of somebody else's, made printable. */
void wring__log_write_text(wring__log_entry *entry, const char *text);

/** Nothing more is logged: tells how many records were left out at the end, event by event. */
void wring__log_close(wring__log *log);

#endif
