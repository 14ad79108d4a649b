/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of settings.c.
 */
#include <stdlib.h>

#include "server/deflate.h"
#include "tests/sim/settings.h"
#include "wring/ref.h"

static settings_world *const w = &settings_now;

/* ---- marks and timeouts ---------------------------------------------------------------------- */

/* Until nothing more is taken for a reader that sleeps. */
static unsigned send_until_full(unsigned number) {
    while (settings_send(number) == WRING_OK) {
        number++;
        EXPECT(number < 1000);
        settings_run(5, false);
    }
    return number;
}

static void a_hard_mark_is_raised_and_lowered(uint64_t seed) {
    const wring_policy low = SETTINGS_POLICY(200, 600, .slow_policy = WRING_SLOW_DROP_NEWEST);
    const wring_policy high = SETTINGS_POLICY(200, 3000, .slow_policy = WRING_SLOW_DROP_NEWEST);
    settings_begin(seed, &low, NULL);
    const unsigned before = send_until_full(0);
    settings_policy(&high);
    settings_run(20, false);
    const unsigned after = send_until_full(before);
    EXPECT(after - before > 15 && after - before < 40);
    settings_policy(&low);
    settings_run(20, false);
    EXPECT(settings_send(after) != WRING_OK);
    settings_run(1000, true);
    settings_in_order(after - 1); /* one may have come over the mark and been dropped */
    EXPECT(settings_send(after) == WRING_OK);
    EXPECT(w->ended == 0);
    settings_end();
}

static void congest(uint64_t seed, const wring_policy *policy) {
    settings_begin(seed, policy, NULL);
    for (unsigned i = 0; i < 6; i++) {
        EXPECT(settings_send(i) == WRING_OK);
    }
    settings_run(100, false);
    EXPECT(settings_stats().congested == 1 && w->ended == 0);
}

static void a_slow_timeout_is_set_for_who_is_slow_already(uint64_t seed) {
    const wring_policy off = SETTINGS_POLICY(200, 2000, .slow_timeout_ms = WRING_OFF);
    const wring_policy on = SETTINGS_POLICY(200, 2000, .slow_timeout_ms = 500);
    congest(seed, &off);
    settings_policy(&on);
    settings_run(300, false);
    EXPECT(w->ended == 0);
    settings_run(1000, false);
    EXPECT(settings_stats().slow_ended == 1);
    settings_end();
}

static void a_slow_timeout_is_taken_away_from_who_is_slow(uint64_t seed) {
    const wring_policy off = SETTINGS_POLICY(200, 2000, .slow_timeout_ms = WRING_OFF);
    const wring_policy on = SETTINGS_POLICY(200, 2000, .slow_timeout_ms = 500);
    congest(seed, &on);
    settings_policy(&off);
    settings_run(5000, false);
    EXPECT(settings_stats().slow_ended == 0 && w->ended == 0);
    settings_run(1000, true);
    settings_in_order(6);
    settings_end();
}

/* What is queued is above the new marks, but not above the old ones. */
static void marks_are_lowered(uint64_t seed) {
    const wring_policy high = SETTINGS_POLICY(8000, 9000, .slow_policy = WRING_SLOW_DROP_NEWEST);
    const wring_policy low = SETTINGS_POLICY(200, 600, .slow_policy = WRING_SLOW_DROP_NEWEST);
    settings_begin(seed, &high, NULL);
    for (unsigned i = 0; i < 20; i++) {
        settings_publish("news", i);
    }
    settings_run(50, false);
    EXPECT(settings_stats().congested == 0);
    settings_policy(&low);
    settings_run(50, false);
    EXPECT(settings_stats().congested == 1);
    settings_publish("news", 20);
    settings_run(50, false);
    EXPECT(settings_stats().dropped_newest == 1);
    settings_run(1000, true);
    settings_in_order(20);
    EXPECT(w->count == 20 && w->drained == 1);
    settings_end();
}

static void publish_up_to(unsigned from, unsigned until) {
    for (unsigned i = from; i < until; i++) {
        settings_publish("news", i);
    }
    settings_run(50, false);
}

/* Always fifty are queued, however many one send takes. */
static void drain_slowly(unsigned published) {
    while (w->drained == 1) {
        EXPECT(published < 1500);
        settings_step(true);
        if (w->count + 50 > published) {
            settings_publish("news", published++);
        }
    }
}

/* It has drained by the new marks, though it reads nothing; then when half of the new one is left,
 * not a hundred bytes. */
static void marks_are_raised(uint64_t seed) {
    const wring_policy low = SETTINGS_POLICY(200, 4000, .slow_policy = WRING_SLOW_DROP_NEWEST);
    const wring_policy high = SETTINGS_POLICY(16000, 40000, .slow_policy = WRING_SLOW_DROP_NEWEST);
    settings_begin(seed, &low, NULL);
    publish_up_to(0, 12);
    EXPECT(settings_stats().congested == 1 && w->drained == 0);
    settings_policy(&high);
    settings_run(50, false);
    EXPECT(w->drained == 1);
    publish_up_to(12, 220);
    EXPECT(settings_stats().congested == 2 && w->drained == 1);
    drain_slowly(220);
    settings_end();
}

static unsigned fill(void) {
    const wring_info info = {.tag = 1};
    w->filled = 0;
    EXPECT(wring_ref_post(w->ref, &info, NULL) == WRING_OK);
    settings_run(50, false);
    return w->filled;
}

static void what_a_session_may_send_follows_its_policy(uint64_t seed) {
    const wring_session_config session = {.struct_size = sizeof session, .message_bytes_max = 1000};
    const wring_policy low = SETTINGS_POLICY(200, 1000, .session = &session);
    const wring_policy high = SETTINGS_POLICY(200, 9000, .session = &session);
    settings_begin(seed, &low, NULL);
    const unsigned first = fill();
    EXPECT(first > 15 && first < 30);
    EXPECT(fill() <= 2); /* the peer's kernel may have taken a little */
    settings_policy(&high);
    settings_run(50, false);
    const unsigned second = fill();
    EXPECT(second > 70 && second < 90);
    settings_policy(&low);
    settings_run(50, false);
    EXPECT(fill() <= 2); /* the peer's kernel may have taken a little */
    settings_end();
}

/* ---- rates ----------------------------------------------------------------------------------- */

/* Until all has come, or the session is over. */
static void talk(unsigned from, unsigned until) {
    for (unsigned i = from; i < until; i++) {
        settings_talk(i);
    }
    for (unsigned round = 0; w->received < until && w->ended == 0; round++) {
        EXPECT(round < 10000);
        settings_run(1, true);
    }
}

static void rates_come_and_go(uint64_t seed) {
    const wring_policy one =
        SETTINGS_POLICY(20000, 90000, .messages_per_second = 1, .messages_burst = 10);
    const wring_policy many =
        SETTINGS_POLICY(20000, 90000, .messages_per_second = 1000, .messages_burst = 20);
    const wring_policy any = SETTINGS_POLICY(20000, 90000, .messages_burst = 0);
    settings_begin(seed, &any, NULL);
    talk(0, 50);
    settings_policy(&one);
    settings_run(20, true);
    talk(50, 60);
    EXPECT(w->received == 60 && w->ended == 0);
    settings_policy(&many); /* the bucket of before is empty, and would be for ten seconds */
    settings_run(20, true);
    for (unsigned i = 60; i < 65; i++) {
        talk(i, i + 1);
        settings_run(2, true);
    }
    EXPECT(w->received == 65 && w->ended == 0);
    settings_policy(&any);
    settings_run(20, true);
    talk(65, 115);
    EXPECT(w->received == 115 && w->ended == 0);
    settings_policy(&one);
    settings_run(20, true);
    talk(115, 130);
    settings_run(100, true);
    EXPECT(settings_stats().rate_ended == 1 && w->received < 126);
    EXPECT(w->end_result == WRING_ERR_RATE_LIMIT);
    settings_end();
}

/* ---- the rules of topics --------------------------------------------------------------------- */

static void a_window_reaches_a_topic_that_exists(uint64_t seed) {
    const wring_policy policy = SETTINGS_POLICY(2000, 9000, .slow_policy = WRING_SLOW_DROP_NEWEST);
    const wring_topic_rule window = SETTINGS_RULE(.coalesce_us = 900000);
    settings_begin(seed, &policy, NULL);
    settings_publish("news", 0);
    settings_run(100, true);
    EXPECT(w->count == 1);
    settings_rule(&window);
    settings_run(20, true);
    settings_publish("news", 1);
    settings_run(500, true);
    EXPECT(w->count == 1);
    settings_publish("news", 2);
    settings_run(1000, true);
    EXPECT(w->count == 3);
    settings_rule(NULL);
    settings_run(20, true);
    settings_publish("news", 3);
    settings_run(100, true);
    settings_in_order(4);
    settings_end();
}

/* With a message in it; what a callback publishes then is to come after that. */
static void a_window_is_taken_away(uint64_t seed) {
    const wring_policy policy = SETTINGS_POLICY(2000, 9000, .slow_policy = WRING_SLOW_DROP_NEWEST);
    const wring_topic_rule window = SETTINGS_RULE(.coalesce_us = 900000);
    settings_begin(seed, &policy, &window);
    settings_publish("news", 0);
    settings_publish("news", 1);
    settings_run(100, true);
    EXPECT(w->count == 0);
    settings_rule(NULL);
    settings_run(20, true);
    settings_talk(2);
    settings_run(100, true);
    settings_publish("news", 3);
    settings_run(2000, true);
    settings_in_order(4);
    settings_end();
}

static void a_slow_policy_reaches_a_topic_that_exists(uint64_t seed) {
    const wring_policy policy = SETTINGS_POLICY(200, 600, .slow_policy = WRING_SLOW_DISCONNECT);
    const wring_topic_rule newest = SETTINGS_RULE(.slow_policy = WRING_SLOW_DROP_NEWEST);
    settings_begin(seed, &policy, NULL);
    settings_rule(&newest);
    settings_run(20, false);
    for (unsigned i = 0; i < 20; i++) {
        settings_publish("news", i);
    }
    settings_run(50, false);
    EXPECT(settings_stats().dropped_newest > 5 && settings_stats().slow_ended == 0);
    settings_rule(NULL);
    settings_run(20, false);
    publish_up_to(20, 24);
    EXPECT(settings_stats().slow_ended == 1);
    settings_end();
}

/* Messages wait when their policy is replaced by one that has none wait. */
static void order_is_kept(uint64_t seed, wring_slow_policy next, bool by_rule) {
    const wring_policy oldest = SETTINGS_POLICY(200, 2000, .slow_policy = WRING_SLOW_DROP_OLDEST);
    const wring_policy other = SETTINGS_POLICY(200, 2000, .slow_policy = next);
    const wring_topic_rule rule = SETTINGS_RULE(.slow_policy = next);
    settings_begin(seed, &oldest, NULL);
    for (unsigned i = 0; i < 10; i++) {
        settings_publish("news", i);
    }
    settings_run(50, false);
    EXPECT(settings_stats().congested == 1);
    if (by_rule) {
        settings_rule(&rule);
    } else {
        settings_policy(&other);
    }
    settings_run(20, false);
    for (unsigned i = 10; i < 14; i++) {
        settings_publish("news", i);
        settings_run(5, false);
    }
    settings_run(1000, true);
    settings_in_order(14);
    EXPECT(w->ended == 0);
    settings_end();
}

static void order_is_kept_when_nothing_waits_any_more(uint64_t seed) {
    order_is_kept(seed, seed % 2 == 0 ? WRING_SLOW_DROP_NEWEST : WRING_SLOW_DISCONNECT,
                  seed % 4 < 2);
}

static void what_was_published_comes_before_the_close(uint64_t seed) {
    const wring_policy policy = SETTINGS_POLICY(2000, 9000, .slow_policy = WRING_SLOW_DISCONNECT);
    const wring_topic_rule window = SETTINGS_RULE(.coalesce_us = 900000);
    settings_begin(seed, &policy, seed % 2 == 0 ? NULL : &window);
    settings_publish("news", 0);
    settings_publish("other", 1);
    EXPECT(wring_server_close_topic(w->run.server, wring_str("news"), 4001, wring_str("")) ==
           WRING_OK);
    settings_run(500, true);
    EXPECT(w->close_code == 4001);
    settings_in_order(2);
    settings_end();
}

/* ---- compression ----------------------------------------------------------------------------- */

static const wring_deflate_config fast = {
    .struct_size = sizeof fast, .message_bytes_min = 8, .level = 1};
static const wring_deflate_config best = {
    .struct_size = sizeof best, .message_bytes_min = 8, .level = 9};

static uint64_t compressed_by_publishing(void) {
    const uint64_t before = settings_stats().deflate_published;
    settings_publish("news", w->count);
    settings_run(20, true);
    return settings_stats().deflate_published - before;
}

static void compression_follows_the_rules(uint64_t seed) {
    const wring_topic_rule never = SETTINGS_RULE(.compress = WRING_COMPRESS_NEVER);
    sim_deflate = &fast;
    settings_begin(seed, NULL, NULL);
    EXPECT(compressed_by_publishing() == 1);
    settings_rule(&never);
    settings_run(20, true);
    EXPECT(compressed_by_publishing() == 0);
    settings_rule(NULL);
    settings_run(20, true);
    EXPECT(compressed_by_publishing() == 1);
    settings_in_order(3);
    settings_end();
}

/* Also when a publisher gives its compressor back only after the change. */
static void compressors_follow_the_policy(uint64_t seed) {
    const wring_policy next = {.struct_size = sizeof next, .deflate = &best};
    unsigned bits = 15;
    sim_deflate = &fast;
    settings_begin(seed, NULL, NULL);
    _Atomic(wring__compressor *) *kept = w->run.server->deflate.kept;
    EXPECT(compressed_by_publishing() == 1);
    while (atomic_load(&kept[bits]) == NULL) {
        bits--;
        EXPECT(bits > 0);
    }
    wring__compressor *old = atomic_exchange(&kept[bits], NULL);
    EXPECT(wring__compressor_tuning(old).level == 1);
    settings_policy(&next);
    EXPECT(atomic_exchange(&kept[bits], old) == NULL);
    EXPECT(compressed_by_publishing() == 1);
    EXPECT(wring__compressor_tuning(atomic_load(&kept[bits])).level == 9);
    settings_policy(&next);
    EXPECT(atomic_load(&kept[bits]) == NULL); /* none is kept over a change */
    settings_in_order(2);
    settings_end();
}

/* ---- visits ---------------------------------------------------------------------------------- */

static wring_verdict visit_one(wring_session *session, void *opts) {
    (void)session;
    (void)opts;
    return WRING_CONTINUE;
}

static void visit_done(uint64_t visited, bool is_whole, void *opts) {
    (void)is_whole;
    EXPECT(visited == 0); /* nobody is there any more */
    ++*(unsigned *)opts;
}

/* It is in the mailbox of a worker that looks no more, with new settings before it. */
static void a_visit_ends_with_its_worker(uint64_t seed) {
    unsigned told = 0;
    const wring_visit visit = {
        .struct_size = sizeof visit, .session = visit_one, .done = visit_done, .opts = &told};
    settings_begin(seed, NULL, NULL);
    wring__server_worker *worker = &w->run.server->workers[0];
    wring__server_drain(w->run.server, 0);
    for (unsigned round = 0; !wring__server_worker_is_done(worker); round++) {
        EXPECT(round < 10000);
        settings_step(true);
    }
    settings_policy(NULL);
    EXPECT(wring_server_visit(w->run.server, 0, &visit) == WRING_OK);
    EXPECT(told == 0);
    settings_end();
    EXPECT(told == 1);
}

void (*const settings_cases[])(uint64_t seed) = {
    a_hard_mark_is_raised_and_lowered,
    a_slow_timeout_is_set_for_who_is_slow_already,
    a_slow_timeout_is_taken_away_from_who_is_slow,
    marks_are_lowered,
    marks_are_raised,
    what_a_session_may_send_follows_its_policy,
    rates_come_and_go,
    a_window_reaches_a_topic_that_exists,
    a_window_is_taken_away,
    a_slow_policy_reaches_a_topic_that_exists,
    order_is_kept_when_nothing_waits_any_more,
    what_was_published_comes_before_the_close,
    compression_follows_the_rules,
    compressors_follow_the_policy,
    a_visit_ends_with_its_worker,
};
const unsigned settings_case_count = WRING_ARRAY_LEN(settings_cases);
