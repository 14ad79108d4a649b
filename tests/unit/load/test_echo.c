/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers that do not echo: what they do is counted as what it is, and the answers after it are
 * matched with their own messages.
 */
#include <criterion/criterion.h>

#include "tests/unit/load/load_world.h"

/* What the peers did, as they count it. */
static struct {
    uint64_t unasked;
    uint64_t repeated;
    uint64_t missing;
    uint64_t wrong;
} done;

static load_world *world_of(uint32_t size, uint32_t pipeline) {
    load_world *world = load_world_create();
    world->config.pipeline = pipeline;
    world->config.duration = 5 * WRING_NS_PER_MS;
    load_sizes_fixed(&world->config.sizes, size);
    memset(&done, 0, sizeof done);
    return world;
}

static uint64_t errors_of(const load_world *world) {
    return load_errors_total(&world->result.errors);
}

static void check(load_world *world, const char *what) {
    const load_result *result = &world->result;
    cr_assert_gt(result->totals.sent, 200, "%s: it stopped at %llu", what,
                 (unsigned long long)result->totals.sent);
    cr_assert_eq(result->foreign, done.unasked, "%s: unasked %llu, counted %llu", what,
                 (unsigned long long)done.unasked, (unsigned long long)result->foreign);
    cr_assert_eq(result->duplicated, done.repeated, "%s: repeated %llu, counted %llu", what,
                 (unsigned long long)done.repeated, (unsigned long long)result->duplicated);
    cr_assert_eq(result->lost, done.missing, "%s: missing %llu, counted %llu", what,
                 (unsigned long long)done.missing, (unsigned long long)result->lost);
    cr_assert_eq(errors_of(world), done.wrong, "%s: wrong %llu, counted %llu", what,
                 (unsigned long long)done.wrong, (unsigned long long)errors_of(world));
    cr_assert_eq(result->totals.wrong, done.wrong, "%s", what);
    cr_assert(result->measured.wrong <= result->totals.wrong, "%s", what);
    cr_assert_eq(result->reordered, 0, "%s", what);
    cr_assert_eq(result->totals.received + result->lost, result->totals.sent, "%s", what);
    /* right answers only; what is sent around the ends of the measured time has none */
    const uint64_t right = result->totals.sent - done.wrong - done.missing;
    const uint64_t edge = 2ul * world->config.pipeline * world->config.connections;
    cr_assert(result->latency->count <= right && result->latency->count + edge >= right, "%s",
              what);
    load_world_destroy(world);
}

static const uint32_t sizes[] = {1, 3, 4, 7, 8, 9, 64, 300};
static const uint32_t pipelines[] = {1, 2, 16};

static void each(void (*answer)(load_peer *peer, wring_bytes payload), const char *name,
                 uint32_t pipeline_min) {
    for (size_t s = 0; s < WRING_ARRAY_LEN(sizes); s++) {
        for (size_t p = 0; p < WRING_ARRAY_LEN(pipelines); p++) {
            char what[64];
            (void)snprintf(what, sizeof what, "%s, %u bytes, %u under way", name, sizes[s],
                           pipelines[p]);
            if (pipelines[p] >= pipeline_min) {
                load_world *world = world_of(sizes[s], pipelines[p]);
                world->config.verify = s % 2 == 0;
                world->answer = answer;
                load_world_run(world, 1);
                check(world, what);
            }
        }
    }
}

static void say(load_peer *peer, const char *text) {
    load_peer_say(peer, wring_str(text));
}

static void two_before_the_first(load_peer *peer, wring_bytes payload) {
    if (peer->asked == 1) {
        say(peer, "welcome, new member");
        say(peer, "there is {} news");
        done.unasked += 2;
    }
    load_peer_say(peer, payload);
}

Test(echo, two_messages_before_the_first_answer_leave_all_answers_right) {
    each(two_before_the_first, "two before", 1);
}

static void repeats_then_errs(load_peer *peer, wring_bytes payload) {
    if (peer->asked % 20 == 6) {
        say(peer, "error: what?");
        done.wrong++;
        return;
    }
    load_peer_say(peer, payload);
    if (peer->asked % 20 == 5) {
        load_peer_say(peer, payload);
        done.repeated++;
    }
}

Test(echo, a_repeated_answer_and_then_a_wrong_one_do_not_stop_the_connection) {
    each(repeats_then_errs, "repeat, error", 1);
}

static void loses(load_peer *peer, wring_bytes payload) {
    if (peer->asked % 40 == 7 || peer->asked % 40 == 8) {
        done.missing++;
        return;
    }
    load_peer_say(peer, payload);
}

Test(echo, a_missing_answer_is_lost_and_the_next_one_is_its_own) {
    each(loses, "missing", 16);
}

static void all_wrong(load_peer *peer, wring_bytes payload) {
    (void)payload;
    say(peer, "no such thing here");
    done.wrong++;
}

Test(echo, a_server_that_answers_something_else_is_wrong_each_time) {
    each(all_wrong, "all wrong", 1);
}

static bool loses_some; /* else it says what nobody asked for */

/* Anything, by chance. But a missing answer and, about it, a message nobody asked for are together
 * what a wrong answer looks like: a server does one or the other. */
static void anything(load_peer *peer, wring_bytes payload) {
    const uint64_t random = load_random(&peer->world->random);
    switch (random % 16) {
    case 0:
    case 1:
        for (uint64_t i = 0; !loses_some && i <= (random >> 8) % 3; i++) {
            say(peer, "{\"news\": \"of the day\"}");
            done.unasked++;
        }
        break;
    case 2:
        if (loses_some && random >> 32 & 1) {
            done.missing++;
        } else {
            say(peer, "{\"error\": 404}");
            done.wrong++;
        }
        return;
    case 3:
        load_peer_say(peer, payload);
        done.repeated++;
        break;
    default:
        break;
    }
    load_peer_say(peer, payload);
}

Test(echo, whatever_is_done_is_counted_as_what_it_is) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const uint32_t size = sizes[2 + seed % (WRING_ARRAY_LEN(sizes) - 2)];
        load_world *world = world_of(size, seed % 2 == 0 ? 1 : 16);
        char what[64];
        (void)snprintf(what, sizeof what, "seed %llu, %u bytes", (unsigned long long)seed, size);
        world->random = seed;
        loses_some = world->config.pipeline > 1 && seed % 4 == 1;
        world->answer = anything;
        world->config.connections = 3;
        world->delay_max = seed % 3 * 20000;
        load_world_run(world, 1);
        check(world, what);
    }
}

/* At a constant rate too. */
Test(echo, whatever_is_done_at_a_constant_rate_is_counted_as_what_it_is) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        load_world *world = world_of(64, 1024);
        char what[64];
        (void)snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        world->random = seed;
        loses_some = world->config.pipeline > 1 && seed % 4 == 1;
        world->answer = anything;
        world->config.connections = 2;
        world->config.rate = 50000;
        world->delay_max = seed % 3 * 100000;
        load_world_run(world, 1);
        check(world, what);
    }
}

/* ---- messages that are all alike ------------------------------------------------------------- */

static void repeats_or_errs(load_peer *peer, wring_bytes payload) {
    if (peer->asked % 10 == 3) {
        say(peer, "error");
        done.wrong++;
    } else {
        load_peer_say(peer, payload);
    }
}

Test(echo, of_messages_that_are_all_alike_a_wrong_answer_is_one_error) {
    for (size_t p = 0; p < WRING_ARRAY_LEN(pipelines); p++) {
        load_world *world = world_of(64, pipelines[p]);
        world->config.has_message = true;
        world->config.message = wring_str("the same each time");
        world->answer = repeats_or_errs;
        load_world_run(world, 1);
        check(world, "alike");
    }
}
