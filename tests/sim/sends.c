/* SPDX-License-Identifier: Apache-2.0
 *
 * wring_ref_send to sessions that read, sleep and close, under each policy: a list arrives whole,
 * in order and together, or not at all, and every frame that was taken either arrives or is
 * counted. Some of these sessions are in the middle of a message of their own that goes out in
 * fragments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/ref.h"
#include "tests/sim/sim_test.h"
#include "wring/ref.h"

#define READERS_MAX 4
#define SENDS       80
#define FRAMES_MAX  24

struct reader {
    sim_client super;
    wring_ref ref;
    bool sleeps; /* reads nothing until all is sent */
    unsigned taken;
    unsigned received;
    unsigned list; /* of the last frame: its number, its place and how many they are */
    unsigned place;
    unsigned of;
    bool is_told; /* by a close frame */
};

static sim_run *current;
static struct reader readers[READERS_MAX];
static unsigned reader_count;
static unsigned joined;
static unsigned refused;
static wring_slow_policy policy;
static unsigned posted;
static unsigned handled;
static unsigned streams; /* messages in fragments that were ended */
static unsigned streams_received;

/* ---- the server's handler -------------------------------------------------------------------- */

/* The first message says which reader it is. */
static wring_verdict sends_in(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT) {
        readers[message->payload.data[0] - '0'].ref = wring_session_ref(session);
        joined++;
    }
    return WRING_CONTINUE;
}

#define STREAM_PIECES 4
#define STREAM_TEXT   "stream 1 2 3 end"

/* Each info is another step: begun, three pieces, ended. */
static wring_verdict sends_info(wring_session *session, const wring_info *info) {
    static const char *const pieces[] = {"stream", " 1", " 2", " 3", " end"};
    unsigned *step = wring_session_user(session);
    const wring_bytes piece = wring_str(pieces[*step]);
    (void)info;
    handled++;
    wring_result result = *step == 0 ? wring_session_message_begin(session, WRING_TEXT, piece)
                          : *step < STREAM_PIECES ? wring_session_message_continue(session, piece)
                                                  : wring_session_message_end(session, piece);
    EXPECT(result == WRING_OK || result == WRING_ERR_QUEUE_FULL || result == WRING_ERR_CLOSED);
    if (result == WRING_OK) {
        streams += *step == STREAM_PIECES;
        *step = *step == STREAM_PIECES ? 0 : *step + 1;
    }
    return WRING_CONTINUE;
}

static const wring_handler sends = {.struct_size = sizeof sends,
                                    .name = "sends",
                                    .state_size = sizeof(unsigned),
                                    .handle_in = sends_in,
                                    .handle_info = sends_info};

/* ---- the clients ----------------------------------------------------------------------------- */

static void on_open(sim_client *client) {
    const char who = (char)('0' + ((struct reader *)client - readers));
    sim_client_send(client, wring_frame_text(wring_bytes_of(&who, 1)));
}

static void on_message(sim_client *client, const wring_message *message) {
    struct reader *reader = (struct reader *)client;
    char text[256] = {0};
    unsigned list;
    unsigned place;
    unsigned of;
    EXPECT(!reader->is_told);
    if (message->opcode == WRING_CLOSE) {
        reader->is_told = true;
        EXPECT(reader->place == reader->of); /* a list is not cut by a close */
        return;
    }
    if (wring_bytes_equal(message->payload, wring_str(STREAM_TEXT))) {
        EXPECT(reader->place == reader->of); /* nor does it come between */
        streams_received++;
        return;
    }
    EXPECT(message->payload.len < sizeof text);
    memcpy(text, message->payload.data, message->payload.len);
    EXPECT(sscanf(text, "list %u frame %u of %u", &list, &place, &of) == 3);
    const bool goes_on = list == reader->list && place == reader->place + 1 && of == reader->of;
    const bool begins = list > reader->list && place == 1 && reader->place == reader->of;
    EXPECT(goes_on || begins);
    reader->list = list;
    reader->place = place;
    reader->of = of;
    reader->received++;
}

/* ---- sending --------------------------------------------------------------------------------- */

static unsigned dice(unsigned sides) {
    return (unsigned)wring__sim_random(current->world, sides);
}

/* One frame or a list; some are more than even replies may queue, some end with a close frame. */
static void list_send(struct reader *reader, unsigned number) {
    static char text[FRAMES_MAX][256];
    wring_frame frames[FRAMES_MAX + 1];
    const unsigned count = dice(3) != 0 ? 1 : 1 + dice(FRAMES_MAX);
    for (unsigned i = 0; i < count; i++) {
        const int pad = (int)dice(150);
        int len = snprintf(text[i], sizeof text[i], "list %u frame %u of %u %*s", number, i + 1,
                           count, pad, "");
        for (int at = len - pad; at < len; at++) { /* hardly to be compressed */
            text[i][at] = (char)('!' + dice(94));
        }
        frames[i] = wring_frame_text(wring_bytes_of(text[i], (size_t)len));
    }
    const bool closes = dice(SENDS) == 0;
    frames[count] = (wring_frame){WRING_CLOSE, 4001, 0, wring_str("the end")};
    wring_result result = wring_ref_send(reader->ref, frames, count + closes);
    EXPECT(result == WRING_OK || result == WRING_ERR_QUEUE_FULL);
    reader->taken += result == WRING_OK ? count : 0;
    refused += result != WRING_OK;
}

/* ---- the run --------------------------------------------------------------------------------- */

static void round_run(sim_run *run, bool wake) {
    const uint64_t before = wring__sim_activity(run->world);
    sim_run_workers(run);
    for (unsigned i = 0; i < reader_count; i++) {
        if (wake || !readers[i].sleeps || readers[i].ref == WRING_REF_NONE) {
            sim_client_step(&readers[i].super);
        }
    }
    if (before == wring__sim_activity(run->world) && wake) {
        (void)wring__sim_advance(run->world);
    }
}

static void everything_sent(sim_run *run) {
    for (unsigned round = 0; joined < reader_count; round++) {
        EXPECT(round < 1000000);
        round_run(run, true);
    }
    for (unsigned number = 1; number <= SENDS; number++) {
        struct reader *reader = &readers[dice(reader_count)];
        list_send(reader, number);
        const wring_info info = {0};
        posted += dice(2) == 0 && wring_ref_post(reader->ref, &info, NULL) == WRING_OK;
        if (dice(SENDS) == 0 && reader->super.phase == CLIENT_OPEN) { /* it closes, and we send */
            wring_machine_close(reader->super.machine, 1000, wring_str(""));
        }
        for (unsigned rounds = dice(4); rounds > 0; rounds--) {
            round_run(run, false);
        }
    }
}

static void everyone_leaves(sim_run *run) {
    for (unsigned i = 0; i < reader_count; i++) {
        if (readers[i].super.phase == CLIENT_OPEN) {
            wring_machine_close(readers[i].super.machine, 1000, wring_str(""));
        }
    }
    bool gone = false;
    for (unsigned round = 0; !gone; round++) {
        EXPECT(round < 1000000);
        round_run(run, true);
        gone = true;
        for (unsigned i = 0; i < reader_count; i++) {
            gone = gone && readers[i].super.phase == CLIENT_GONE;
        }
    }
}

static void check(sim_run *run) {
    wring_server_stats stats = {.struct_size = sizeof stats};
    unsigned taken = 0;
    unsigned received = 0;
    wring_server_get_stats(run->server, &stats);
    for (unsigned i = 0; i < reader_count; i++) {
        EXPECT(readers[i].is_told);
        taken += readers[i].taken;
        received += readers[i].received;
    }
    EXPECT(taken + posted == received + handled + stats.dropped_newest + stats.mail_lost);
    EXPECT(streams_received == streams);
    EXPECT(policy != WRING_SLOW_DISCONNECT || stats.dropped_newest == 0);
    EXPECT(policy == WRING_SLOW_DISCONNECT || stats.slow_ended == 0);
    EXPECT(stats.dropped_oldest + stats.dropped_replaced == 0);
}

static void begin(sim_run *run, uint64_t seed) {
    const wring_session_config session = {.struct_size = sizeof session, .message_bytes_max = 400};
    const wring_policy limits = {.struct_size = sizeof limits,
                                 .session = &session,
                                 .send_soft_bytes = 200,
                                 .send_hard_bytes = 600,
                                 .slow_policy = policy};
    wring_server_config config = {.workers = 1 + (uint32_t)(seed % 2),
                                  .handler = &sends,
                                  .policy = &limits,
                                  .mailbox_items = seed % 5 == 0 ? 2 : 4096};
    sim_run_begin_config(run, seed, &config);
}

void sim_sends(uint64_t seed) {
    static const wring_slow_policy policies[] = {WRING_SLOW_DISCONNECT, WRING_SLOW_DROP_NEWEST,
                                                 WRING_SLOW_DROP_OLDEST, WRING_SLOW_KEEP_LATEST};
    sim_run run;
    current = &run;
    joined = refused = posted = handled = streams = streams_received = 0;
    policy = policies[seed / 3 % 4];
    begin(&run, seed);
    reader_count = 1 + dice(READERS_MAX);
    for (unsigned i = 0; i < reader_count; i++) {
        memset(&readers[i], 0, sizeof readers[i]);
        sim_client_init(&readers[i].super, &run);
        readers[i].super.on_open = on_open;
        readers[i].super.on_message = on_message;
        readers[i].sleeps = dice(3) == 0;
    }
    everything_sent(&run);
    everyone_leaves(&run);
    check(&run);
    sim_run_end(&run);
    for (unsigned i = 0; i < reader_count; i++) {
        sim_client_deinit(&readers[i].super);
    }
}
