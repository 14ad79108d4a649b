/* SPDX-License-Identifier: Apache-2.0
 *
 * Fan-out: P publishers number their messages, S subscribers hold each delivery against the numbers
 * of its publisher. The time a message was sent (at a constant rate: was to be sent) travels in it.
 *
 * Closed loop: a publisher sends its next burst when the ones before are delivered to every
 * subscriber. A thread counts deliveries of a message to its own subscribers, and only the last of
 * them is told to the others. A number that was jumped over counts as delivered here, so that a
 * server which loses messages is not waited for; it is counted as lost in the end.
 */
#include <stdlib.h>

#include "bench/load/engine.h"

/* No delivery for so long: what is under way is given up, and published anew. */
#define GIVE_UP_NS  WRING_NS_PER_SEC
#define BACKLOG_MAX (16u << 20)

static uint32_t tracks_per_subscriber(const load_fanout *fanout) {
    return (fanout->count + fanout->topics - 1) / fanout->topics;
}

static uint32_t power_of_two(uint32_t at_least) {
    uint32_t n = 1;
    while (n < at_least) {
        n *= 2;
    }
    return n;
}

/* ---- setting up ------------------------------------------------------------------------------ */

wring_result load_fanout_open(load_run *run) {
    load_fanout *fanout = &run->fanout;
    const load_config *config = run->config;
    fanout->count = config->publishers;
    fanout->topics = config->topics;
    fanout->window = power_of_two(2 * config->pipeline + config->burst);
    fanout->publishers = calloc(fanout->count, sizeof *fanout->publishers);
    fanout->threads_of = calloc(fanout->topics, sizeof *fanout->threads_of);
    if (fanout->publishers == NULL || fanout->threads_of == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < fanout->count; i++) {
        load_publisher *publisher = &fanout->publishers[i];
        publisher->topic = i % fanout->topics;
        publisher->owner = i % run->thread_count;
        publisher->done = calloc(fanout->window, sizeof *publisher->done);
        if (publisher->done == NULL) {
            return WRING_ERR_NO_MEMORY;
        }
    }
    return WRING_OK;
}

void load_fanout_close(load_run *run) {
    load_fanout *fanout = &run->fanout;
    for (uint32_t i = 0; i < fanout->count && fanout->publishers != NULL; i++) {
        free(fanout->publishers[i].done);
    }
    free(fanout->publishers);
    free(fanout->threads_of);
}

wring_result load_fanout_thread_open(load_thread *thread) {
    const load_fanout *fanout = &thread->run->fanout;
    thread->deliveries = calloc((size_t)fanout->count * fanout->window, sizeof *thread->deliveries);
    thread->subscribers = calloc(fanout->topics, sizeof *thread->subscribers);
    return thread->deliveries == NULL || thread->subscribers == NULL ? WRING_ERR_NO_MEMORY
                                                                     : WRING_OK;
}

void load_fanout_thread_close(load_thread *thread) {
    free(thread->deliveries);
    free(thread->subscribers);
}

wring_result load_fanout_link_open(load_link *link) {
    load_fanout *fanout = &link->thread->run->fanout;
    if (link->role == LOAD_ROLE_PUBLISHER) {
        fanout->publishers[link->publisher].link = link;
        return WRING_OK;
    }
    link->tracks = calloc(tracks_per_subscriber(fanout), sizeof *link->tracks);
    if (link->tracks == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    link->thread->subscribers[link->topic]++;
    return WRING_OK;
}

/* What was published in its topic and has reached it is no longer asked for. */
void load_fanout_link_ended(load_link *link) {
    load_thread *thread = link->thread;
    load_fanout *fanout = &thread->run->fanout;
    if (link->role == LOAD_ROLE_PUBLISHER) {
        fanout->publishers[link->publisher].link = NULL;
    } else if (link->tracks != NULL && --thread->subscribers[link->topic] == 0 &&
               thread->ready_told) {
        atomic_fetch_sub(&fanout->threads_of[link->topic], 1);
    }
}

void load_fanout_ready(load_thread *thread) {
    load_fanout *fanout = &thread->run->fanout;
    for (uint32_t topic = 0; topic < fanout->topics; topic++) {
        if (thread->subscribers[topic] > 0) {
            atomic_fetch_add(&fanout->threads_of[topic], 1);
        }
    }
}

/* ---- publishing ------------------------------------------------------------------------------ */

static void publish(load_thread *thread, load_publisher *publisher, wring_time_ns sent) {
    load_link *link = publisher->link;
    const load_config *config = thread->run->config;
    const uint32_t len = config->sizes.deck[thread->deck_at++ % LOAD_DECK];
    const uint64_t number = atomic_load_explicit(&publisher->published, memory_order_relaxed);
    const load_fanout_tag tag = {link->publisher, number, sent};
    uint8_t text[LOAD_FANOUT_TAG];
    load_fanout_tag_write(text, &tag);
    if (load_tx_message(link, text, sizeof text, len) != WRING_OK) {
        load_link_fail(link, "out of memory");
        return;
    }
    atomic_store(&publisher->published, number + 1);
    publisher->sent = link->end.worker->now;
    thread->totals.sent++;
    thread->totals.sent_bytes += len;
    if (thread->phase == LOAD_MEASURING) {
        thread->measured.sent++;
        thread->measured.sent_bytes += len;
        if (config->messages != 0) {
            atomic_fetch_add(&thread->run->limit_published, 1);
        }
    }
}

/* Moves over what is delivered in every thread that has subscribers. */
static void settle(load_fanout *fanout, load_publisher *publisher, wring_time_ns now) {
    const uint64_t published = atomic_load_explicit(&publisher->published, memory_order_relaxed);
    const uint32_t threads = atomic_load(&fanout->threads_of[publisher->topic]);
    while (publisher->settled < published) {
        const uint64_t done =
            atomic_load(&publisher->done[publisher->settled & (fanout->window - 1)]);
        if (done >> 16 != publisher->settled + 1 || (done & 0xffff) < threads) {
            break;
        }
        publisher->settled++;
    }
    if (publisher->settled < published && now > publisher->sent + GIVE_UP_NS) {
        publisher->settled = published;
    }
}

static void publish_when_settled(load_thread *thread, load_publisher *publisher,
                                 wring_time_ns now) {
    const load_config *config = thread->run->config;
    settle(&thread->run->fanout, publisher, now);
    const uint64_t under_way = atomic_load(&publisher->published) - publisher->settled;
    for (uint64_t room = config->pipeline - wring__min_u64(under_way, config->pipeline);
         room >= config->burst; room -= config->burst) {
        for (uint32_t i = 0; i < config->burst && publisher->link != NULL; i++) {
            if (!load_limit_take(thread)) {
                return;
            }
            publish(thread, publisher, now);
        }
    }
}

static load_publisher *publisher_next(load_thread *thread) {
    load_fanout *fanout = &thread->run->fanout;
    for (uint32_t i = 0; i < fanout->count; i++) {
        thread->turn_at = thread->turn_at + 1 < fanout->count ? thread->turn_at + 1 : 0;
        load_publisher *publisher = &fanout->publishers[thread->turn_at];
        if (publisher->owner == thread->index && publisher->link != NULL &&
            wring__end_unsent(&publisher->link->end) < BACKLOG_MAX) {
            return publisher;
        }
    }
    return NULL;
}

/* False when -n ends it. */
static bool burst_publish(load_thread *thread, load_publisher *publisher, wring_time_ns due) {
    for (uint32_t i = 0; i < thread->run->config->burst && publisher->link != NULL; i++) {
        if (!load_limit_take(thread)) {
            return false;
        }
        if (i == 0) {
            load_pace_note(thread, due);
        }
        publish(thread, publisher, due);
    }
    return true;
}

static void pace_by_schedule(load_thread *thread, wring_time_ns now) {
    wring_time_ns due;
    while ((due = load_pace_due(thread)) <= now) {
        load_publisher *publisher = publisher_next(thread);
        if (publisher == NULL) {
            thread->is_full = true;
            return;
        }
        if (!burst_publish(thread, publisher, due)) {
            return;
        }
    }
}

void load_fanout_pace(load_thread *thread, wring_time_ns now) {
    load_fanout *fanout = &thread->run->fanout;
    if (thread->run->config->rate > 0) {
        pace_by_schedule(thread, now);
        return;
    }
    for (uint32_t i = thread->index; i < fanout->count; i += thread->run->thread_count) {
        if (fanout->publishers[i].link != NULL) {
            publish_when_settled(thread, &fanout->publishers[i], now);
        }
    }
}

/* ---- deliveries ------------------------------------------------------------------------------ */

/* All of this thread's subscribers have message `number`. */
static void done_here(load_thread *thread, load_publisher *publisher, uint64_t number) {
    const load_fanout *fanout = &thread->run->fanout;
    _Atomic uint64_t *place = &publisher->done[number & (fanout->window - 1)];
    uint64_t seen = atomic_load(place);
    uint64_t want;
    do {
        if (seen >> 16 > number + 1) {
            return; /* given up, and the place is another's now */
        }
        want = seen >> 16 == number + 1 ? seen + 1 : (number + 1) << 16 | 1;
    } while (!atomic_compare_exchange_weak(place, &seen, want));
    if (publisher->owner != thread->index &&
        (want & 0xffff) >= atomic_load(&fanout->threads_of[publisher->topic])) {
        load_thread_wake(thread->run->threads[publisher->owner]);
    }
}

static void count_delivery(load_thread *thread, uint32_t index, uint64_t number) {
    const load_fanout *fanout = &thread->run->fanout;
    load_publisher *publisher = &fanout->publishers[index];
    load_delivery *delivery =
        &thread->deliveries[(size_t)index * fanout->window + (number & (fanout->window - 1))];
    if (delivery->number > number + 1) {
        return;
    }
    if (delivery->number < number + 1) {
        delivery->number = number + 1;
        delivery->count = 0;
    }
    if (++delivery->count == thread->subscribers[publisher->topic]) {
        done_here(thread, publisher, number);
    }
}

static void delivered(load_link *link, const load_message *message, const load_fanout_tag *tag) {
    load_thread *thread = link->thread;
    thread->unique++;
    thread->totals.received++;
    const uint64_t len =
        message->len == LOAD_LEN_UNKNOWN ? thread->run->config->sizes.max : message->len;
    thread->totals.received_bytes += len;
    const wring_time_ns now = link->end.worker->now;
    if (thread->phase == LOAD_MEASURING) {
        thread->measured.received++;
        thread->measured.received_bytes += len;
        thread->interval_messages++;
    }
    if (load_thread_is_measured(thread, tag->sent)) {
        load_thread_latency(thread, now > tag->sent ? now - tag->sent : 0);
    }
}

static void take(load_link *link, const load_message *message, const load_fanout_tag *tag) {
    load_thread *thread = link->thread;
    load_sequence *track = &link->tracks[tag->publisher / thread->run->fanout.topics];
    const uint64_t expected = track->next;
    uint64_t skipped;
    switch (load_sequence_take(track, tag->number, &skipped)) {
    case LOAD_ARRIVAL_LATE:
        thread->reordered++;
        delivered(link, message, tag);
        return;
    case LOAD_ARRIVAL_DUPLICATE:
        thread->duplicated++;
        return;
    case LOAD_ARRIVAL_IN_ORDER:
    case LOAD_ARRIVAL_AHEAD:
        break;
    }
    delivered(link, message, tag);
    if (thread->run->config->rate == 0) {
        for (uint64_t number = expected; number <= tag->number; number++) {
            count_delivery(thread, tag->publisher, number);
        }
    }
}

/* The same message comes to many: its tag is read once. */
static bool tag_of(load_thread *thread, const load_message *message, load_fanout_tag *tag) {
    size_t at = thread->tag_at;
    if (at + LOAD_FANOUT_TAG > message->head_len ||
        memcmp(message->head + at, "wRnG", LOAD_FANOUT_MAGIC) != 0) {
        const size_t len = wring__min_size(message->head_len, LOAD_HEAD_MAX);
        at = load_fanout_tag_find(message->head, len);
        if (at == len) {
            return false;
        }
        thread->tag_at = at;
    }
    const uint8_t *text = message->head + at;
    if (memcmp(text, thread->tag_text, LOAD_FANOUT_TAG) != 0) {
        if (!load_fanout_tag_read(text, &thread->tag)) {
            return false;
        }
        memcpy(thread->tag_text, text, LOAD_FANOUT_TAG);
    }
    *tag = thread->tag;
    return true;
}

static bool tag_is_possible(const load_link *link, const load_fanout_tag *tag) {
    const load_fanout *fanout = &link->thread->run->fanout;
    return tag->publisher < fanout->count &&
           fanout->publishers[tag->publisher].topic == link->topic &&
           tag->number < atomic_load(&fanout->publishers[tag->publisher].published);
}

void load_fanout_message(load_link *link, const load_message *message) {
    load_thread *thread = link->thread;
    const load_config *config = thread->run->config;
    load_fanout_tag tag;
    thread->arrived = link->end.worker->now;
    if (!tag_of(thread, message, &tag) || !tag_is_possible(link, &tag)) {
        thread->foreign++;
        return;
    }
    if (thread->tag_at == 0 && config->sizes.fixed && message->len != config->sizes.max &&
        message->len != LOAD_LEN_UNKNOWN) {
        load_thread_error(thread, 1, "delivery: another length than was published");
    }
    take(link, message, &tag);
}

/* ---- the end --------------------------------------------------------------------------------- */

uint64_t load_fanout_expected(const load_thread *thread) {
    const load_fanout *fanout = &thread->run->fanout;
    uint64_t expected = 0;
    for (uint32_t i = 0; i < fanout->count; i++) {
        load_publisher *publisher = &fanout->publishers[i];
        expected += atomic_load(&publisher->published) * thread->subscribers[publisher->topic];
    }
    return expected;
}

void load_fanout_count_lost(load_thread *thread) {
    const load_fanout *fanout = &thread->run->fanout;
    for (uint32_t i = 0; i < thread->open_count; i++) {
        const load_link *link = thread->open[i];
        for (uint32_t p = link->topic; p < fanout->count && link->tracks != NULL;
             p += fanout->topics) {
            thread->lost += load_sequence_lost(&link->tracks[p / fanout->topics],
                                               atomic_load(&fanout->publishers[p].published));
        }
    }
}
