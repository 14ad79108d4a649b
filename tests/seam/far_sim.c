/* SPDX-License-Identifier: Apache-2.0
 *
 * The far ends in the simulated world.
 */
#include "tests/seam/seam.h"

#define LISTEN_PORT_FIRST 5000
#define REFUSING_PORT     4999

static int far_listen(seam *world, uint16_t *port) {
    static uint16_t next;
    *port = (uint16_t)(LISTEN_PORT_FIRST + next++ % 1000);
    return wring__sim_peer_listen(world->sim, *port);
}

static void far_unlisten(seam *world, int listener) {
    wring__sim_peer_unlisten(world->sim, listener);
}

static int far_accept(seam *world, int listener) {
    return wring__sim_peer_accept(world->sim, listener);
}

static int far_dial(seam *world, uint16_t port) {
    return wring__sim_dial(world->sim, port);
}

static size_t far_send(seam *world, int far, const uint8_t *data, size_t len) {
    return wring__sim_peer_send(world->sim, far, (wring_bytes){data, len});
}

static size_t far_receive(seam *world, seam_peer *peer, uint8_t *out, size_t cap) {
    return wring__sim_peer_recv(world->sim, peer->name, out, cap, &peer->is_ended, &peer->is_reset);
}

static void far_shut(seam *world, int far) {
    wring__sim_peer_shutdown(world->sim, far);
}

static void far_close(seam *world, int far) {
    wring__sim_peer_close(world->sim, far, false);
}

static void far_reset(seam *world, int far) {
    wring__sim_peer_close(world->sim, far, true);
}

static uint16_t far_port(seam *world, int far) {
    (void)world;
    (void)far;
    return 0;
}

static uint16_t far_refusing_port(seam *world) {
    (void)world;
    return REFUSING_PORT;
}

static uint16_t far_silent_port(seam *world) {
    (void)world;
    return WRING__SIM_SILENT_PORT;
}

static void far_step(seam *world) {
    (void)wring__sim_advance(world->sim);
}

const seam_far seam_far_sim = {
    .listen = far_listen,
    .unlisten = far_unlisten,
    .accept = far_accept,
    .dial = far_dial,
    .send = far_send,
    .receive = far_receive,
    .shut = far_shut,
    .close = far_close,
    .reset = far_reset,
    .port = far_port,
    .refusing_port = far_refusing_port,
    .silent_port = far_silent_port,
    .step = far_step,
};
