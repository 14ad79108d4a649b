/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is handed a published message: the workers that have subscribers, and no other.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/hash.h"
#include "tests/sim/backend/sim.h"
#include "server/peer.h"
#include "server/server.h"

#define WORKERS 3

static wring__sim *world;
static wring_server *server;
static wring__peer peers[2 * WORKERS]; /* only as names of subscribers */

static void begin(void) {
    static const wring_handler handler = {.struct_size = sizeof handler, .name = "nothing"};
    wring__sim_config config = {.seed = 1, .pipe_bytes = 4096};
    world = wring__sim_create(&config);
    wring_server_config server_config = {
        .struct_size = sizeof server_config, .workers = WORKERS, .handler = &handler};
    wring_error error;
    cr_assert_eq(wring_server_create(&server_config, &server, &error), WRING_OK);
    wring__server_set_backend(server, wring__sim_backend(world));
    cr_assert_eq(wring_server_start(server, &error), WRING_OK);
    memset(peers, 0, sizeof peers);
}

static void turns(void) {
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < WORKERS; i++) {
            if (!wring__server_worker_is_done(&server->workers[i])) {
                cr_assert_eq(wring__worker_turn(&server->workers[i].io, 0), WRING_OK);
            }
        }
        (void)wring__sim_advance(world);
    }
}

static void end(void) {
    wring__server_drain(server, 10);
    turns();
    wring_server_stop(server, 0);
    wring_server_destroy(server);
    wring__sim_destroy(world);
}

TestSuite(publish, .init = begin, .fini = end);

static void subscribe(uint32_t worker, wring__peer *peer, const char *topic) {
    cr_assert_eq(
        wring__topics_subscribe(&server->workers[worker].topics, peer, wring_str(topic), 100),
        WRING_OK);
}

static void unsubscribe(uint32_t worker, wring__peer *peer, const char *topic) {
    wring__topics_unsubscribe(&server->workers[worker].topics, peer, wring_str(topic));
}

static wring_result publish(const char *topic) {
    wring_frame frame = wring_frame_text(wring_str("news"));
    return wring_server_publish(server, wring_str(topic), &frame);
}

static bool has_mail(uint32_t worker) {
    return !wring__mailbox_is_empty(&server->workers[worker].io.mailbox);
}

Test(publish, a_worker_without_subscribers_gets_no_mail) {
    subscribe(1, &peers[0], "a");
    cr_assert_eq(publish("a"), WRING_OK);
    cr_expect(!has_mail(0));
    cr_expect(has_mail(1));
    cr_expect(!has_mail(2));
    unsubscribe(1, &peers[0], "a");
}

Test(publish, a_topic_nobody_follows_costs_nothing_and_is_no_error) {
    cr_expect_eq(publish("a"), WRING_OK);
    for (uint32_t i = 0; i < WORKERS; i++) {
        cr_expect(!has_mail(i));
    }
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 0);
}

/* A publisher learns of the limit before anybody listens, not only once somebody does. */
Test(publish, what_is_too_big_is_refused_with_and_without_subscribers) {
    const wring_topic_rule rules[] = {
        {.struct_size = sizeof rules[0], .name = "small*", .message_bytes_max = 3},
        {.struct_size = sizeof rules[0], .name = "*"}};
    cr_assert_eq(wring_server_set_topic_rules(server, rules, 2, NULL), WRING_OK);
    cr_expect_eq(publish("small/1"), WRING_ERR_MESSAGE_TOO_BIG);
    cr_expect_eq(publish("other"), WRING_OK);
    turns(); /* the mail about the rules is taken */
    subscribe(1, &peers[0], "small/1");
    cr_expect_eq(publish("small/1"), WRING_ERR_MESSAGE_TOO_BIG);
    cr_expect(!has_mail(1));
    unsubscribe(1, &peers[0], "small/1");
    cr_assert_eq(wring_server_set_topic_rules(server, NULL, 0, NULL), WRING_OK);
    cr_expect_eq(publish("small/1"), WRING_OK);
}

Test(publish, presence_follows_the_first_and_the_last_subscriber) {
    subscribe(0, &peers[0], "a");
    subscribe(0, &peers[1], "a");
    subscribe(2, &peers[2], "a");
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 2);
    unsubscribe(0, &peers[0], "a");
    unsubscribe(0, &peers[0], "a"); /* twice is legal */
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 2);
    unsubscribe(0, &peers[1], "a");
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 1);
    wring__topics_unsubscribe_all(&server->workers[2].topics, &peers[2]);
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 0);
}

/* Two topics in one slot share its bit: it stays until both are gone. */
Test(publish, topics_of_one_slot_do_not_hide_each_other) {
    const uint64_t seed = server->presence.seed;
    const uint32_t slot = wring__presence_slot(wring__hash(seed, wring_str("a")));
    char other[32];
    for (unsigned i = 0;; i++) {
        snprintf(other, sizeof other, "b%u", i);
        if (wring__presence_slot(wring__hash(seed, wring_str(other))) == slot) {
            break;
        }
    }
    subscribe(1, &peers[0], "a");
    subscribe(1, &peers[0], other);
    unsubscribe(1, &peers[0], other);
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 1);
    unsubscribe(1, &peers[0], "a");
    cr_expect_eq(wring_server_topic_workers(server, wring_str("a")), 0);
}

Test(publish, a_stopped_server_is_told_apart_from_an_empty_topic) {
    wring__server_drain(server, 10);
    turns();
    wring_server_stop(server, 0);
    cr_expect_eq(publish("a"), WRING_ERR_CLOSED);
}

Test(publish, bad_names_and_opcodes_are_refused) {
    wring_frame ping = {WRING_PING, 0, 0, {NULL, 0}};
    char name[WRING_TOPIC_MAX + 1];
    memset(name, 'x', sizeof name);
    wring_frame frame = wring_frame_text(wring_str("news"));
    cr_expect_eq(publish(""), WRING_ERR_INVALID_ARGUMENT);
    cr_expect_eq(wring_server_publish(server, wring_str("a"), &ping), WRING_ERR_INVALID_ARGUMENT);
    cr_expect_eq(wring_server_publish(server, wring_bytes_of(name, sizeof name), &frame),
                 WRING_ERR_INVALID_ARGUMENT);
    cr_expect_eq(wring_server_publish(server, wring_bytes_of(name, WRING_TOPIC_MAX), &frame),
                 WRING_OK);
}
