/* SPDX-License-Identifier: Apache-2.0
 *
 * Echo: each connection keeps what it has sent in a ring and holds every answer against the oldest
 * of it: opcode, length, number; what is not its answer goes to echo_match.c. Closed loop: an
 * answer makes room for the next message. Constant rate: messages have an intended time each, from
 * which their latency counts whether or not they could be sent then, so that a server that stalls
 * is charged for all it kept waiting.
 */
#include <stdlib.h>

#include "bench/load/echo.h"
#include "wring/frame.h"

/* Queued on one connection before the schedule leaves it out: it is not read from. */
#define BACKLOG_MAX (4u << 20)

/* ---- sending --------------------------------------------------------------------------------- */

static bool ring_grow(load_echo *echo) {
    const uint32_t cap = echo->cap == 0 ? 1 : echo->cap * 2;
    load_awaited *grown = malloc(cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < echo->count; i++) {
        grown[i] = *load_echo_at(echo, i);
    }
    free(echo->ring);
    echo->ring = grown;
    echo->head = 0;
    echo->cap = cap;
    return true;
}

static uint32_t size_next(load_thread *thread) {
    const load_config *config = thread->run->config;
    return config->has_message ? (uint32_t)config->message.len
                               : config->sizes.deck[thread->deck_at++ % LOAD_DECK];
}

static void echo_send(load_link *link, wring_time_ns sent) {
    load_thread *thread = link->thread;
    load_echo *echo = &link->echo;
    const uint32_t len = size_next(thread);
    if (echo->count == echo->cap && !ring_grow(echo)) {
        load_link_fail(link, "out of memory");
        return;
    }
    load_awaited *awaited = load_echo_at(echo, echo->count);
    awaited->sent = sent;
    awaited->len = len;
    load_echo_tag_write(awaited->tag, echo->next);
    const size_t tag_len = thread->run->payload.tagged ? LOAD_ECHO_TAG : 0;
    if (load_tx_message(link, awaited->tag, tag_len, len) != WRING_OK) {
        load_link_fail(link, "out of memory");
        return;
    }
    echo->count++;
    echo->next++;
    thread->awaited++;
    thread->totals.sent++;
    thread->totals.sent_bytes += len;
    if (thread->phase == LOAD_MEASURING) {
        thread->measured.sent++;
        thread->measured.sent_bytes += len;
    }
}

void load_echo_start(load_link *link) {
    const load_config *config = link->thread->run->config;
    if (config->rate > 0) {
        return;
    }
    while (link->echo.count < config->pipeline && link->stage == LOAD_STAGE_OPEN &&
           load_limit_take(link->thread)) {
        echo_send(link, link->end.worker->now);
    }
}

void load_echo_start_all(load_thread *thread) {
    for (uint32_t i = 0; i < thread->open_count && thread->run->config->mode == LOAD_ECHO; i++) {
        load_echo_start(thread->open[i]);
    }
}

static bool has_room(const load_link *link, uint32_t limit) {
    return link->echo.count < limit && wring__end_unsent(&link->end) < BACKLOG_MAX;
}

/* The next connection by turns that is not full; NULL when all are. */
static load_link *link_next(load_thread *thread) {
    for (uint32_t i = 0; i < thread->open_count; i++) {
        thread->turn_at = thread->turn_at + 1 < thread->open_count ? thread->turn_at + 1 : 0;
        load_link *link = thread->open[thread->turn_at];
        if (has_room(link, thread->run->config->pipeline)) {
            return link;
        }
    }
    return NULL;
}

void load_echo_pace(load_thread *thread, wring_time_ns now) {
    wring_time_ns due;
    while ((due = load_pace_due(thread)) <= now) {
        load_link *link = link_next(thread);
        if (link == NULL) {
            thread->is_full = true; /* an answer makes room, and the schedule does not wait */
            return;
        }
        if (!load_limit_take(thread)) {
            return;
        }
        load_pace_note(thread, due);
        echo_send(link, due);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

void load_echo_latency(load_link *link, wring_time_ns sent) {
    if (load_thread_is_measured(link->thread, sent)) {
        load_thread_latency(link->thread, link->end.worker->now - sent);
    }
}

static void received(load_thread *thread, uint64_t len) {
    thread->totals.received++;
    thread->totals.received_bytes += len;
    if (thread->phase == LOAD_MEASURING) {
        thread->measured.received++;
        thread->measured.received_bytes += len;
    }
}

/* A right answer makes the rate, a wrong one makes an error. */
static void judged(load_link *link, const load_awaited *awaited, const char *fault) {
    load_thread *thread = link->thread;
    const uint64_t measured = thread->phase == LOAD_MEASURING ? 1 : 0;
    if (WRING_LIKELY(fault == NULL)) {
        thread->interval_messages += measured;
        load_echo_latency(link, awaited->sent);
    } else {
        thread->totals.wrong++;
        thread->measured.wrong += measured;
        load_thread_error(thread, 1, fault);
    }
}

void load_echo_pop(load_link *link, uint32_t count) {
    link->echo.head += count;
    link->echo.count -= count;
    link->thread->awaited -= count;
    link->thread->arrived = link->end.worker->now;
}

const char *load_echo_fault(const load_link *link, const load_message *message,
                            const load_awaited *awaited) {
    const load_payload *payload = &link->thread->run->payload;
    if (message->opcode != (payload->first & 0x0f)) {
        return "answer: text for binary, or binary for text";
    }
    if (message->len != awaited->len && message->len != LOAD_LEN_UNKNOWN) {
        return "answer: another length than was sent";
    }
    if (!payload->tagged) {
        const size_t len = wring__min_size(message->head_len, payload->len);
        return memcmp(payload->plain, message->head, len) == 0
                   ? message->fault
                   : "answer: another content than was sent";
    }
    const size_t len = wring__min_size(LOAD_ECHO_TAG, awaited->len);
    if (message->head_len < len) { /* compressed, and inflates to less */
        return "answer: another length than was sent";
    }
    const bool is_same = len == LOAD_ECHO_TAG /* of constant length: one comparison */
                             ? memcmp(awaited->tag, message->head, LOAD_ECHO_TAG) == 0
                             : memcmp(awaited->tag, message->head, len) == 0;
    return is_same ? message->fault : "answer: another content than was sent";
}

void load_echo_accept(load_link *link, const load_message *message, const char *fault) {
    const load_awaited awaited = *load_echo_at(&link->echo, 0);
    load_echo_pop(link, 1);
    received(link->thread, message->len == LOAD_LEN_UNKNOWN ? awaited.len : message->len);
    judged(link, &awaited, fault);
}

/* The right answer to the oldest. */
static void accept_right(load_link *link, const load_message *message) {
    if (WRING_UNLIKELY(link->tracks != NULL)) {
        uint64_t skipped;
        (void)load_sequence_take(link->tracks, link->echo.next - link->echo.count, &skipped);
    }
    load_echo_accept(link, message, NULL);
}

void load_echo_message(load_link *link, const load_message *message) {
    const load_config *config = link->thread->run->config;
    load_echo *echo = &link->echo;
    const char *fault = NULL;
    if (echo->count > 0 && !config->any_answer) {
        fault = load_echo_fault(link, message, load_echo_at(echo, 0));
    }
    if (WRING_LIKELY(echo->count > 0 && fault == NULL)) {
        accept_right(link, message);
    } else if (config->any_answer) {
        link->thread->foreign++;
    } else {
        load_echo_odd(link, message, fault);
    }
    if (load_thread_may_send(link->thread)) {
        load_echo_start(link);
    }
}

void load_echo_verify(load_link *link, uint64_t offset, const uint8_t *data, size_t len) {
    const load_payload *payload = &link->thread->run->payload;
    const size_t tag = payload->tagged ? LOAD_ECHO_TAG : 0; /* is compared by itself */
    const size_t skip = offset < tag ? wring__min_size(tag - (size_t)offset, len) : 0;
    const uint64_t from = offset + skip;
    if (from + (len - skip) > payload->len ||
        memcmp(payload->plain + from, data + skip, len - skip) != 0) {
        link->rx.fault = "answer: another content than was sent";
    }
}

void load_echo_ended(load_link *link) {
    link->thread->awaited -= link->echo.count;
    link->echo.count = 0;
    free(link->echo.ring);
    link->echo.ring = NULL;
    link->echo.cap = 0;
    free(link->echo.doubts);
    link->echo.doubts = NULL;
}
