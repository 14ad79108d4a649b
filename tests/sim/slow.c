/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers that do not read, under each policy, with and without a coalescing window: what they get
 * is in order and whole, what they miss is counted, message by message, and who reads again is told
 * the latest.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim_test.h"
#include "wring/ref.h"

#define READERS_MAX 4
#define MESSAGES    60
#define KEYS        3

struct reader {
    sim_client super;
    bool joined;
    bool sleeps;  /* reads nothing until all is published */
    bool cut_off; /* the server ended it */
    unsigned count;
    unsigned next;          /* what may come at the earliest */
    unsigned last_of[KEYS]; /* 1 + the last one it got with this key */
    bool is_told;           /* by a close frame, at the end */
    unsigned close_code;
};

static sim_run *current;
static struct reader readers[READERS_MAX];
static sim_client publisher;
static unsigned reader_count;
static unsigned joined;
static unsigned published;
static unsigned drained;
static wring_slow_policy policy;
static bool pauses; /* the publisher's session is not read for a while, now and then */
static wring_ref paused;
static wring_ref publisher_ref;
static wring_ref refs[READERS_MAX + 1]; /* of all sessions */
static unsigned ref_count;
static bool ending; /* by lists: see lists_send */

#define TAG_PAUSE_AND_CLOSE 1

/* ---- the server's handler -------------------------------------------------------------------- */

static wring_verdict slow_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    EXPECT(wring_session_subscribe(session, wring_str("news")) == WRING_OK);
    refs[ref_count++] = wring_session_ref(session);
    wring_frame frame = wring_frame_text(wring_str("joined"));
    EXPECT(wring_session_send(session, &frame) == WRING_OK);
    return WRING_CONTINUE;
}

static wring_verdict slow_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        const wring_publish_options options = {
            .struct_size = sizeof options, .from = session, .key = 1 + published % KEYS};
        wring_frame frame = wring_frame_text(message->payload);
        EXPECT(wring_server_publish_with(current->server, wring_str("news"), &frame, &options) ==
               WRING_OK);
        published++;
        publisher_ref = wring_session_ref(session);
        if (pauses && published % 7 == 0 && paused == WRING_REF_NONE) {
            wring_session_pause(session);
            paused = wring_session_ref(session);
        }
    }
    return WRING_CONTINUE;
}

static wring_verdict slow_info(wring_session *session, const wring_info *info) {
    if (info->tag == TAG_PAUSE_AND_CLOSE) {
        wring_session_pause(session);
        wring_session_close(session, WRING_CLOSE_NORMAL, wring_str(""));
        return WRING_CONTINUE;
    }
    wring_session_resume(session);
    return WRING_CONTINUE;
}

static void slow_terminate(wring_session *session, const wring_end *end) {
    const bool is_publisher = wring_session_ref(session) == publisher_ref;
    EXPECT(!is_publisher || end->result == WRING_OK); /* the close was answered in time */
}

static wring_verdict slow_drained(wring_session *session) {
    EXPECT(wring_session_queued_bytes(session) <= sim_run_policy(current)->config.send_soft_bytes);
    drained++;
    return WRING_CONTINUE;
}

static const wring_handler slow = {.struct_size = sizeof slow,
                                   .name = "slow",
                                   .init = slow_init,
                                   .handle_in = slow_in,
                                   .handle_info = slow_info,
                                   .terminate = slow_terminate,
                                   .drained = slow_drained};

/* ---- the clients ----------------------------------------------------------------------------- */

static void on_open(sim_client *client) {
    (void)client;
}

static void on_publisher_message(sim_client *client, const wring_message *message) {
    (void)client; /* nothing of its own comes back */
    EXPECT(message->opcode == WRING_CLOSE ||
           wring_bytes_equal(message->payload, wring_str("joined")));
    joined += message->opcode == WRING_TEXT;
}

static void on_message(sim_client *client, const wring_message *message) {
    struct reader *reader = (struct reader *)client;
    char text[128] = {0};
    unsigned number;
    if (message->opcode == WRING_CLOSE) {
        reader->close_code = message->close_code;
    }
    if (message->opcode != WRING_TEXT || ending) {
        return;
    }
    EXPECT(message->payload.len < sizeof text);
    memcpy(text, message->payload.data, message->payload.len);
    if (!reader->joined) {
        EXPECT(strcmp(text, "joined") == 0);
        reader->joined = true;
        joined++;
        return;
    }
    EXPECT(sscanf(text, "number %u ", &number) == 1 && number < published);
    EXPECT(number >= reader->next);                                    /* in order, none twice */
    EXPECT(policy != WRING_SLOW_DISCONNECT || number == reader->next); /* ... and no gap */
    reader->next = number + 1;
    reader->last_of[number % KEYS] = number + 1;
    reader->count++;
}

static void publish(sim_client *client, unsigned number) {
    char text[128];
    int pad = (int)wring__sim_random(client->run->world, 60);
    int len = snprintf(text, sizeof text, "number %u %*s", number, pad, "");
    sim_client_send(client, wring_frame_text(wring_bytes_of(text, (size_t)len)));
}

/* ---- the run --------------------------------------------------------------------------------- */

static void round_run(sim_run *run, bool wake) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    sim_client_step(&publisher);
    for (unsigned i = 0; i < reader_count; i++) {
        if (wake || !readers[i].joined || !readers[i].sleeps) {
            sim_client_step(&readers[i].super);
        }
        readers[i].cut_off |= readers[i].super.phase == CLIENT_GONE;
    }
    if (before == wring__sim_activity(run->world)) {
        (void)wring__sim_advance(run->world);
    }
}

static uint64_t dropped(wring_server_stats *stats) {
    wring_server_get_stats(current->server, stats);
    return stats->dropped_newest + stats->dropped_oldest + stats->dropped_replaced;
}

/* Every message is with every reader, or counted as dropped, or the reader was cut off. */
static bool all_is_accounted_for(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    uint64_t expected = dropped(&stats);
    uint64_t wanted = 0;
    for (unsigned i = 0; i < reader_count; i++) {
        if (!readers[i].cut_off) {
            expected += readers[i].count;
            wanted += MESSAGES;
        }
    }
    return expected >= wanted;
}

static void check(void) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    uint64_t total = dropped(&stats);
    unsigned cut_off = 0;
    for (unsigned i = 0; i < reader_count; i++) {
        const struct reader *reader = &readers[i];
        total += reader->count;
        cut_off += reader->cut_off;
        const bool latest_is_kept =
            policy == WRING_SLOW_DROP_OLDEST || policy == WRING_SLOW_KEEP_LATEST;
        EXPECT(!latest_is_kept || reader->next == MESSAGES);
        for (unsigned key = 0; key < KEYS && policy == WRING_SLOW_KEEP_LATEST; key++) {
            EXPECT(reader->last_of[key] > MESSAGES - KEYS);
        }
    }
    EXPECT(cut_off == stats.slow_ended);
    EXPECT(policy == WRING_SLOW_DISCONNECT || cut_off == 0);
    EXPECT(policy != WRING_SLOW_DISCONNECT || dropped(&stats) == 0);
    EXPECT(cut_off > 0 || total == (uint64_t)MESSAGES * reader_count);
    EXPECT(policy == WRING_SLOW_DROP_NEWEST || stats.dropped_newest == 0);
    EXPECT(policy == WRING_SLOW_DROP_OLDEST || stats.dropped_oldest == 0); /* keys find room */
    EXPECT(policy == WRING_SLOW_KEEP_LATEST || stats.dropped_replaced == 0);
    EXPECT(drained <= stats.congested);
}

static void clients_begin(sim_run *run) {
    sim_client_init(&publisher, run);
    publisher.on_open = on_open;
    publisher.on_message = on_publisher_message;
    reader_count = 1 + (unsigned)wring__sim_random(run->world, READERS_MAX);
    for (unsigned i = 0; i < reader_count; i++) {
        memset(&readers[i], 0, sizeof readers[i]);
        sim_client_init(&readers[i].super, run);
        readers[i].super.on_open = on_open;
        readers[i].super.on_message = on_message;
        readers[i].sleeps = wring__sim_random(run->world, 2) == 0;
    }
}

/* A list that fills the queue, and behind it, before any of it is sent, a list that finds it full:
 * the messages of that one are dropped, its close frame is not. */
static void lists_send(sim_run *run) {
    char filler[1000];
    for (size_t i = 0; i < sizeof filler; i++) { /* hardly to be compressed */
        filler[i] = (char)('!' + wring__sim_random(run->world, 94));
    }
    const wring_frame fill[2] = {wring_frame_text(wring_bytes_of(filler, sizeof filler)),
                                 wring_frame_text(wring_bytes_of(filler, sizeof filler))};
    const wring_frame last[2] = {wring_frame_text(wring_str("dropped")),
                                 {WRING_CLOSE, 4001, 0, wring_str("the end")}};
    ending = true;
    for (unsigned i = 0; i < reader_count; i++) {
        readers[i].is_told = readers[i].super.phase == CLIENT_OPEN;
    }
    for (unsigned i = 0; i < ref_count; i++) {
        if (refs[i] == publisher_ref) {
            continue;
        }
        if (wring_ref_send(refs[i], fill, 2) == WRING_OK) {
            EXPECT(wring_ref_send(refs[i], last, 2) == WRING_OK);
        } else { /* full already: the sender knows */
            (void)!wring_ref_close(refs[i], 4001, wring_str("the end"));
        }
    }
}

static void lists_check(void) {
    for (unsigned i = 0; i < reader_count && ending; i++) {
        const unsigned code = readers[i].close_code;
        EXPECT(!readers[i].is_told || code == 4001 ||
               (code == WRING_CLOSE_POLICY_VIOLATION && policy == WRING_SLOW_DISCONNECT));
    }
}

static void clients_end(sim_run *run) {
    const bool server_closes = pauses && publisher.phase == CLIENT_OPEN;
    if (server_closes) { /* a session that is paused and then closed is read for the close */
        const wring_info info = {.tag = TAG_PAUSE_AND_CLOSE};
        EXPECT(wring_ref_post(publisher_ref, &info, NULL) == WRING_OK);
    } else if (publisher.phase == CLIENT_OPEN) {
        wring_machine_close(publisher.machine, 1000, wring_str(""));
    }
    for (unsigned i = 0; i < reader_count; i++) {
        if (readers[i].super.phase == CLIENT_OPEN && !ending) {
            wring_machine_close(readers[i].super.machine, 1000, wring_str(""));
        }
    }
    bool gone = false;
    for (unsigned round = 0; !gone; round++) {
        EXPECT(round < 1000000);
        round_run(run, true);
        gone = publisher.phase == CLIENT_GONE;
        for (unsigned i = 0; i < reader_count; i++) {
            gone = gone && readers[i].super.phase == CLIENT_GONE;
        }
    }
}

/* From a paused session nothing comes but what was here already, until it is read again. */
static void pause_check(sim_run *run) {
    const wring_info info = {0};
    for (unsigned round = 0; round < 20; round++) {
        round_run(run, false);
    }
    const unsigned before = published;
    for (unsigned round = 0; round < 50; round++) {
        round_run(run, false);
    }
    EXPECT(published == before);
    EXPECT(wring_ref_post(paused, &info, NULL) == WRING_OK);
    paused = WRING_REF_NONE;
}

static void messages_send(sim_run *run) {
    unsigned sent = 0;
    unsigned round = 0;
    for (; joined < reader_count + 1; round++) {
        EXPECT(round < 1000000);
        round_run(run, false);
    }
    for (; published < MESSAGES; round++) {
        EXPECT(round < 2000000);
        if (sent < MESSAGES && wring__sim_random(run->world, 3) == 0) {
            publish(&publisher, sent++);
        }
        round_run(run, false);
        if (paused != WRING_REF_NONE) {
            pause_check(run);
        }
    }
    for (; !all_is_accounted_for(); round++) {
        EXPECT(round < 3000000);
        round_run(run, true);
    }
}

static void begin(sim_run *run, uint64_t seed) {
    const bool rule_leaves_it = seed % 32 >= 16; /* to the policy of the sessions */
    const wring_topic_rule rule = {.struct_size = sizeof rule,
                                   .name = "new*",
                                   .slow_policy = rule_leaves_it ? WRING_SLOW_DEFAULT : policy,
                                   .coalesce_us = seed % 8 < 4 ? 0 : 2000};
    const wring_policy limits = {.struct_size = sizeof limits,
                                 .send_soft_bytes = 200,
                                 .send_hard_bytes = 600,
                                 .slow_policy = policy}; /* of what wring_ref_send brings, too */
    wring_server_config config = {.workers = 1 + (uint32_t)(seed % 3),
                                  .handler = &slow,
                                  .policy = &limits,
                                  .mailbox_items = 4096,
                                  .topic_rules = &rule,
                                  .topic_rule_count = 1};
    sim_run_begin_config(run, seed, &config);
}

void sim_slow(uint64_t seed) {
    static const wring_slow_policy policies[] = {WRING_SLOW_DISCONNECT, WRING_SLOW_DROP_NEWEST,
                                                 WRING_SLOW_DROP_OLDEST, WRING_SLOW_KEEP_LATEST};
    sim_run run;
    current = &run;
    joined = published = drained = ref_count = 0;
    ending = false;
    pauses = seed % 16 >= 8;
    paused = WRING_REF_NONE;
    policy = policies[seed % 4];
    begin(&run, seed);
    clients_begin(&run);
    messages_send(&run);
    check();
    if (seed % 3 == 1) {
        lists_send(&run);
    }
    clients_end(&run);
    lists_check();
    sim_run_end(&run);
    sim_client_deinit(&publisher);
    for (unsigned i = 0; i < reader_count; i++) {
        sim_client_deinit(&readers[i].super);
    }
}
