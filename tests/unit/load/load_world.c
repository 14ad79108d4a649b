/* SPDX-License-Identifier: Apache-2.0
 *
 * See load_world.h.
 */
#include "tests/unit/load/load_world.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/packed.h"
#include "tests/sim/backend/sim_world.h"
#include "proto/crypto.h"
#include "proto/kernels.h"

#define PORT 4242

/* ---- the clock ------------------------------------------------------------------------------- */

static load_world *the_world; /* the backend's functions know no other way to it */
static wring__backend_ops ticking;

static wring_time_ns ticking_now(wring__backend *backend) {
    (void)backend;
    the_world->sim->now += the_world->tick;
    return the_world->sim->now;
}

static wring_result ticking_open(const wring__backend_config *config, wring__backend **out,
                                 wring_error *error) {
    wring__backend_config small = *config;
    small.context = the_world->sim;
    small.buffer_count = 64;
    const wring_result result = wring__backend_sim.open(&small, out, error);
    (*out)->ops = &ticking;
    return result;
}

/* ---- peers ----------------------------------------------------------------------------------- */

void load_peer_say(load_peer *peer, wring_bytes payload) {
    uint8_t *out = peer->out + peer->out_len;
    cr_assert(peer->out_len + 4 + payload.len <= sizeof peer->out);
    out[0] = 0x81;
    size_t header = 2;
    if (payload.len < 126) {
        out[1] = (uint8_t)payload.len;
    } else {
        out[1] = 126;
        wring__store_be16(out + 2, (uint16_t)payload.len);
        header = 4;
    }
    memcpy(out + header, payload.data, payload.len);
    peer->out_len += header + payload.len;
}

void load_peer_echo(load_peer *peer, wring_bytes payload) {
    load_peer_say(peer, payload);
}

void load_peer_spread(load_peer *peer, wring_bytes payload) {
    for (size_t i = 0; i < peer->world->peer_count; i++) {
        load_peer *other = &peer->world->peers[i];
        if (other != peer && other->upgraded && other->socket != WRING__SOCKET_NONE) {
            load_peer_say(other, payload);
        }
    }
}

static void upgrade(load_peer *peer) {
    static const char name[] = "Sec-WebSocket-Key: ";
    const uint8_t *end = memmem(peer->in, peer->in_len, "\r\n\r\n", 4);
    if (end == NULL) {
        return;
    }
    const uint8_t *key = memmem(peer->in, peer->in_len, name, strlen(name));
    cr_assert(key != NULL);
    char accept[WRING__ACCEPT_TEXT];
    cr_assert_eq(wring__accept_key(wring_bytes_of(key + strlen(name), 24), accept), WRING_OK);
    peer->out_len = (size_t)snprintf((char *)peer->out, sizeof peer->out,
                                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                                     accept);
    const size_t taken = (size_t)(end + 4 - peer->in);
    memmove(peer->in, end + 4, peer->in_len - taken);
    peer->in_len -= taken;
    peer->upgraded = true;
    if (peer->world->upgrade_count < WORLD_UPGRADES_MAX) {
        peer->world->upgrades[peer->world->upgrade_count++] = peer->world->sim->now;
    }
}

/* Takes one frame of what has come; false when it is not whole. */
static bool frame_take(load_peer *peer) {
    load_world *world = peer->world;
    uint8_t *in = peer->in;
    size_t header = 6;
    size_t len = in[1] & 0x7f;
    if (peer->in_len < header || (len == 126 && peer->in_len < 8)) {
        return false;
    }
    if (len == 126) {
        len = wring__load_be16(in + 2);
        header = 8;
    }
    if (peer->in_len < header + len) {
        return false;
    }
    uint32_t key;
    memcpy(&key, in + header - 4, sizeof key);
    wring__mask(in + header, len, key, 0);
    if ((in[0] & 0x0f) == WRING_CLOSE) {
        const uint8_t answer[] = {0x88, 2, in[header], in[header + 1]};
        memcpy(peer->out + peer->out_len, answer, sizeof answer);
        peer->out_len += sizeof answer;
        peer->closes = true;
    } else {
        if (world->arrival_count < WORLD_ARRIVALS_MAX) {
            world->arrivals[world->arrival_count++] = world->sim->now;
        }
        peer->asked++;
        if (peer->out_len == 0 && world->delay_max > 0) {
            peer->out_at = world->sim->now + load_random(&world->random) % world->delay_max;
        }
        world->answer(peer, wring_bytes_of(in + header, len));
    }
    memmove(in, in + header + len, peer->in_len - header - len);
    peer->in_len -= header + len;
    return true;
}

static void peer_step(load_peer *peer) {
    bool end = false;
    bool reset = false;
    if (peer->socket == WRING__SOCKET_NONE) {
        return;
    }
    peer->in_len += wring__sim_peer_recv(peer->world->sim, peer->socket, peer->in + peer->in_len,
                                         sizeof peer->in - peer->in_len, &end, &reset);
    if (end || reset) {
        wring__sim_peer_close(peer->world->sim, peer->socket, false);
        peer->socket = WRING__SOCKET_NONE;
        return;
    }
    if (!peer->upgraded && !peer->world->is_mute &&
        (peer->world->upgrades_after == 0 ||
         peer->world->sim->now >= peer->world->start + peer->world->upgrades_after)) {
        upgrade(peer);
    }
    while (peer->upgraded && frame_take(peer)) {
    }
}

static void peer_flush(load_peer *peer) {
    if (peer->socket == WRING__SOCKET_NONE || peer->out_len == 0 ||
        peer->out_at > peer->world->sim->now) {
        return;
    }
    const size_t taken = wring__sim_peer_send(peer->world->sim, peer->socket,
                                              wring_bytes_of(peer->out, peer->out_len));
    memmove(peer->out, peer->out + taken, peer->out_len - taken);
    peer->out_len -= taken;
    if (peer->out_len == 0 && peer->closes) {
        wring__sim_peer_close(peer->world->sim, peer->socket, false);
        peer->socket = WRING__SOCKET_NONE;
    }
}

static load_peer *peer_free(load_world *world) {
    for (size_t i = 0; i < world->peer_count; i++) {
        if (world->peers[i].socket == WRING__SOCKET_NONE) {
            return &world->peers[i];
        }
    }
    cr_assert(world->peer_count < WORLD_PEERS_MAX);
    return &world->peers[world->peer_count++];
}

static void peers_step(load_world *world) {
    wring__socket socket;
    while ((socket = wring__sim_peer_accept(world->sim, world->listener)) != WRING__SOCKET_NONE) {
        load_peer *peer = peer_free(world);
        memset(peer, 0, offsetof(load_peer, in));
        peer->in_len = peer->out_len = 0;
        peer->world = world;
        peer->socket = socket;
    }
    for (size_t i = 0; i < world->peer_count; i++) {
        peer_step(&world->peers[i]);
    }
    for (size_t i = 0; i < world->peer_count; i++) {
        peer_flush(&world->peers[i]);
    }
}

/* ---- sleeping -------------------------------------------------------------------------------- */

/* The clock moves to what is next: an answer that leaves, or the thread's deadline. */
static void clock_move(load_world *world, wring_time_ns deadline) {
    wring_time_ns next = deadline;
    for (size_t i = 0; i < world->peer_count; i++) {
        const load_peer *peer = &world->peers[i];
        if (peer->socket != WRING__SOCKET_NONE && peer->out_len > 0 &&
            peer->out_at > world->sim->now) {
            next = wring__min_u64(next, peer->out_at);
        }
    }
    cr_assert(next != WRING_TIME_NEVER);
    world->sim->now = next > world->sim->now ? next : world->sim->now;
}

/* As the kernel does: a turn with nothing to tell sleeps. Nothing else wakes a thread here, so a
 * message that it forgot waits for its deadline. */
static wring_result ticking_turn(wring__backend *backend, wring_time_ns deadline,
                                 wring__completion *out, size_t max, size_t *count) {
    load_world *world = the_world;
    uint64_t before;
    wring_result result;
    world->turns++;
    do {
        before = wring__sim_activity(world->sim);
        result = wring__backend_sim.turn(backend, deadline, out, max, count);
        peers_step(world);
        if (*count > 0 || world->woken || deadline <= world->sim->now) {
            world->next = 0; /* it does not sleep */
            break;
        }
        if (world->run.thread_count > 1) { /* the others have to run meanwhile: see step() */
            world->next = wring__min_u64(world->next, deadline);
            break;
        }
        if (wring__sim_activity(world->sim) == before) {
            clock_move(world, deadline);
        }
    } while (true);
    return result;
}

/* ---- the run --------------------------------------------------------------------------------- */

load_world *load_world_create(void) {
    load_world *world = calloc(1, sizeof *world);
    cr_assert(world != NULL);
    const wring__sim_config config = {.seed = 1};
    world->sim = wring__sim_create(&config);
    world->listener = wring__sim_peer_listen(world->sim, PORT);
    world->tick = 1000;
    world->random = 7;
    world->answer = load_peer_echo;
    load_config_init(&world->config);
    world->config.url = "ws://127.0.0.1:4242/";
    world->config.connections = 1;
    world->config.threads = 1;
    world->config.warmup = 0;
    the_world = world;
    ticking = wring__backend_sim;
    ticking.open = ticking_open;
    ticking.now = ticking_now;
    ticking.turn = ticking_turn;
    return world;
}

static void open_run(load_world *world) {
    load_run *run = &world->run;
    wring_error error = {WRING_OK, 0, ""};
    pthread_mutex_init(&run->lock, NULL);
    run->config = &world->config;
    run->result = &world->result;
    run->thread_count = load_config_threads(&world->config);
    run->backend = &ticking;
    cr_assert_eq(load_result_init(&world->result), WRING_OK);
    cr_assert_eq(load_run_open(run, &error), WRING_OK, "%s", error.text);
    cr_assert_eq(load_target_open(&run->target, &world->config, NULL, &error), WRING_OK, "%s",
                 error.text);
    for (uint32_t i = 0; i < run->thread_count; i++) {
        cr_assert_eq(load_thread_open(run->threads[i]), WRING_OK);
    }
}

/* Gives each thread a turn. Of several none can sleep alone: when nothing has moved in a round, the
 * clock does. False when all have ended. */
static bool step(load_world *world, bool *ended) {
    const uint64_t before = wring__sim_activity(world->sim);
    bool all = true;
    world->next = WRING_TIME_NEVER;
    for (uint32_t i = 0; i < world->run.thread_count; i++) {
        ended[i] = ended[i] || !load_thread_turn(world->run.threads[i]);
        all = all && ended[i];
    }
    world->woken = false;
    if (!all && world->run.thread_count > 1 && wring__sim_activity(world->sim) == before &&
        world->next != WRING_TIME_NEVER) {
        clock_move(world, world->next);
    }
    return !all;
}

static bool all_are(const load_world *world, bool quiet) {
    for (uint32_t i = 0; i < world->run.thread_count; i++) {
        const load_thread *thread = world->run.threads[i];
        if (!atomic_load(quiet ? &thread->quiet : &thread->ready)) {
            return false;
        }
    }
    return true;
}

void load_world_run(load_world *world, wring_duration_ns phase) {
    load_run *run = &world->run;
    bool ended[LOAD_THREADS_MAX] = {false};
    open_run(world);
    while (!all_are(world, false)) {
        cr_assert(step(world, ended));
    }
    world->start = world->sim->now + phase;
    atomic_store(&run->measure_from, world->start + world->config.warmup);
    atomic_store(&run->measure_to, world->start + world->config.warmup + world->config.duration);
    atomic_store(&run->start, world->start);
    world->woken = true; /* as the main thread does */
    while (!all_are(world, true)) {
        cr_assert(step(world, ended));
    }
    atomic_store(&run->closing, true);
    world->woken = true;
    while (step(world, ended)) {
    }
    for (uint32_t i = 0; i < run->thread_count; i++) {
        wring__worker_deinit(&run->threads[i]->worker);
    }
    load_run_collect(run);
    load_run_close(run);
}

void load_world_destroy(load_world *world) {
    load_result_deinit(&world->result);
    wring__sim_destroy(world->sim);
    free(world);
    the_world = NULL;
}
