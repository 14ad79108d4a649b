/* SPDX-License-Identifier: Apache-2.0
 *
 * Records for the application's log. See log.h.
 */
#include "io/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "core/sized.h"
#include "wring/config.h"

static const struct event {
    wring_log_level level;
    const char *name;
} events[WRING__LOG_EVENT_COUNT] = {
#define WRING__LOG_ROW(event, level, name) {WRING_LOG_##level, name},
    WRING__LOG_EVENTS(WRING__LOG_ROW)
#undef WRING__LOG_ROW
};

const char *wring_log_level_name(wring_log_level level) {
    switch (level) {
    case WRING_LOG_ERROR:
        return "error";
    case WRING_LOG_WARNING:
        return "warning";
    case WRING_LOG_NOTICE:
        return "notice";
    case WRING_LOG_INFO:
        return "info";
    case WRING_LOG_DEBUG:
        return "debug";
    case WRING_LOG_DEFAULT:
        break;
    }
    return "";
}

wring_result wring__log_init(wring__log *log, const wring_log_config *config, wring_error *error) {
    const wring_log_config none = {.struct_size = sizeof none};
    memset(log, 0, sizeof *log);
    const wring_result result =
        wring__sized_adopt(&log->config, sizeof log->config, config == NULL ? &none : config,
                           offsetof(wring_log_config, repeat_burst), "wring_log_config", error);
    if (result != WRING_OK) {
        return result;
    }
    if (config != NULL && log->config.write == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "log config: write is missing: set it, or `log` to NULL for no log");
    }
    if (log->config.level > WRING_LOG_DEBUG) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "log config: level is none of wring_log_level");
    }
    if (log->config.level == WRING_LOG_DEFAULT) {
        log->config.level = WRING_LOG_NOTICE;
    }
    if (log->config.repeat_burst == 0) {
        log->config.repeat_burst = 10;
    }
    if (log->config.repeat_interval_ms == 0) {
        log->config.repeat_interval_ms = 10000;
    }
    return WRING_OK;
}

bool wring__log_wants(const wring__log *log, enum wring__log_event event) {
    return log != NULL && log->config.write != NULL && events[event].level <= log->config.level;
}

/* ---- repeats --------------------------------------------------------------------------------- */

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Threads that race for the first place of an interval may let one record more through. */
static bool meter_admits(wring__log_meter *meter, const wring_log_config *config) {
    if (config->repeat_burst == WRING_OFF) {
        return true;
    }
    const uint64_t now = now_ms();
    uint64_t since = atomic_load_explicit(&meter->since_ms, memory_order_relaxed);
    if ((since == 0 || now - since >= config->repeat_interval_ms) &&
        atomic_compare_exchange_strong(&meter->since_ms, &since, now)) {
        atomic_store(&meter->count, 0);
    }
    if (atomic_fetch_add(&meter->count, 1) < config->repeat_burst) {
        return true;
    }
    atomic_fetch_sub(&meter->count, 1); /* it never wraps */
    atomic_fetch_add(&meter->left_out, 1);
    return false;
}

/* ---- a record -------------------------------------------------------------------------------- */

static void entry_init(wring__log_entry *entry, wring__log *log, struct event event,
                       wring__log_meter *meter) {
    entry->log = log;
    entry->used = 0;
    entry->record = (wring_log_record){.struct_size = sizeof entry->record,
                                       .level = event.level,
                                       .event = event.name,
                                       .text = entry->text,
                                       .fields = entry->fields};
    entry->record.repeats = atomic_exchange(&meter->left_out, 0);
}

bool wring__log_begin(wring__log_entry *entry, wring__log *log, enum wring__log_event event) {
    if (!wring__log_wants(log, event) || !meter_admits(&log->meters[event], &log->config)) {
        return false;
    }
    entry_init(entry, log, events[event], &log->meters[event]);
    return true;
}

static uint64_t hash_of(const char *name) { /* FNV-1a; 0 is no name */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c != 0; c++) {
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    }
    return hash == 0 ? 1 : hash;
}

/* The one of this name, or a place that is free. When all are taken the rest share one. */
static wring__log_meter *own_meter(wring__log *log, const char *name) {
    const uint64_t hash = hash_of(name);
    for (size_t i = 0; i < WRING__LOG_OWN_MAX; i++) {
        struct wring__log_own *own = &log->own[(hash + i) % WRING__LOG_OWN_MAX];
        uint64_t found = 0;
        if (atomic_compare_exchange_strong(&own->hash, &found, hash)) {
            (void)wring_text_printable(wring_str(name), own->name, sizeof own->name);
            return &own->meter;
        }
        if (found == hash) {
            return &own->meter;
        }
    }
    return &log->meters[WRING__LOG_APPLICATION];
}

bool wring__log_begin_as(wring__log_entry *entry, wring__log *log, wring_log_level level,
                         const char *event) {
    const wring_log_level shown = level == WRING_LOG_DEFAULT ? WRING_LOG_NOTICE : level;
    if (log == NULL || log->config.write == NULL || shown > log->config.level) {
        return false;
    }
    wring__log_meter *meter = own_meter(log, event);
    if (!meter_admits(meter, &log->config)) {
        return false;
    }
    entry_init(entry, log, (struct event){shown, event}, meter);
    return true;
}

/* Takes `len` bytes and the NUL behind them that were written at the end of the values. */
static void field_add(wring__log_entry *entry, const char *name, size_t len) {
    entry->fields[entry->record.field_count++] =
        (wring_log_field){name, entry->values + entry->used};
    entry->used += len + 1;
}

static size_t room(const wring__log_entry *entry) {
    return entry->record.field_count == WRING__LOG_FIELDS_MAX ? 0
                                                              : sizeof entry->values - entry->used;
}

void wring__log_bytes(wring__log_entry *entry, const char *name, wring_bytes value) {
    const size_t cap = room(entry);
    if (cap > 0) {
        field_add(entry, name, wring_text_printable(value, entry->values + entry->used, cap));
    }
}

void wring__log_text(wring__log_entry *entry, const char *name, const char *value) {
    wring__log_bytes(entry, name, wring_str(value));
}

void wring__log_number(wring__log_entry *entry, const char *name, uint64_t value) {
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    wring__log_text(entry, name, digits);
}

void wring__log_write(wring__log_entry *entry, const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(entry->text, sizeof entry->text, format, args);
    va_end(args);
    entry->log->config.write(&entry->record, entry->log->config.opts);
}

void wring__log_write_text(wring__log_entry *entry, const char *text) {
    (void)wring_text_printable(wring_str(text), entry->text, sizeof entry->text);
    entry->log->config.write(&entry->record, entry->log->config.opts);
}

static void left_out_tell(wring__log *log, const char *event, wring__log_meter *meter) {
    wring__log_entry entry;
    if (atomic_load(&meter->left_out) > 0) {
        entry_init(&entry, log, events[WRING__LOG_LEFT_OUT], meter);
        wring__log_text(&entry, "event", event);
        wring__log_write(&entry, "%" PRIu64 " records of %s were left out", entry.record.repeats,
                         event);
    }
}

void wring__log_close(wring__log *log) {
    if (log->config.write == NULL) {
        return;
    }
    for (int i = 0; i < WRING__LOG_EVENT_COUNT; i++) {
        left_out_tell(log, events[i].name, &log->meters[i]);
    }
    for (size_t i = 0; i < WRING__LOG_OWN_MAX; i++) {
        left_out_tell(log, log->own[i].name, &log->own[i].meter);
    }
}
