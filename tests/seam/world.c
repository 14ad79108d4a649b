/* SPDX-License-Identifier: Apache-2.0
 *
 * The world of a case: the backend, the turn, and the table of operations under way.
 */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "core/ref.h"
#include "tests/seam/seam.h"

/* How long a case may wait for something: far more than any needs. */
#define PATIENCE_NS        (60 * WRING_NS_PER_SEC)
#define PATIENCE_SIMULATED 3000000

char seam_where[128];

static size_t descriptors_count(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static bool backend_open(seam *world, const seam_config *config) {
    const wring__backend_config own = {.entries = 64,
                                       .buffer_count = config->buffer_count,
                                       .buffer_size = config->buffer_size,
                                       .direct_sockets = config->direct_sockets,
                                       .busy_poll_us = config->busy_poll_us,
                                       .context = world->sim};
    wring_error error;
    if (world->ops->open(&own, &world->backend, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return false;
    }
    return true;
}

bool seam_open(seam *world, const seam_config *config) {
    memset(world, 0, sizeof *world);
    world->ops = config->ops;
    world->random = config->seed;
    world->turn_max = SEAM_TURN_MAX;
    world->silent_listener = -1;
    world->far = &seam_far_kernel;
    world->descriptors = descriptors_count();
    if (config->ops == &wring__backend_sim) {
        const wring__sim_config simulated = {.seed = config->seed, .faults = true};
        world->sim = wring__sim_create(&simulated);
        world->far = &seam_far_sim;
    }
    if (!backend_open(world, config)) {
        return false;
    }
    wring_error error;
    world->listening =
        (wring__listen_config){.host = "127.0.0.1", .backlog = SEAM_OPS_MAX, .context = world->sim};
    CHECK(world->ops->listen(&world->listening, &world->listener, &world->port, &error) ==
          WRING_OK);
    CHECK(wring__recv_init(&world->pool, world->backend) == WRING_OK);
    world->began = world->ops->now(world->backend);
    return true;
}

static void nothing_is_under_way(const seam *world) {
    for (uint32_t i = 0; i < world->op_count; i++) {
        CHECK(!world->table[i]->is_armed);
    }
    CHECK(world->accepted_taken == world->accepted_count);
    for (const seam_near *near = world->nears; near != NULL; near = near->next) {
        CHECK(near->socket == WRING__SOCKET_NONE && near->peer.name < 0);
    }
}

void seam_silent_close(seam *world) {
    if (world->silent_listener >= 0) {
        close(world->silent_listener);
        for (size_t i = 0; i < WRING_ARRAY_LEN(world->fillers); i++) {
            close(world->fillers[i]);
        }
        world->silent_listener = -1;
    }
}

static void sim_close(seam *world) {
    const wring__sim_leftovers left = wring__sim_leftover(world->sim);
    CHECK(left.sockets == 0 && left.operations == 0 && left.buffers == 0);
    wring__sim_destroy(world->sim);
}

void seam_close(seam *world) {
    seam_accept_cancel(world);
    seam_expect_quiet(world);
    nothing_is_under_way(world);
    wring__recv_return(&world->pool);
    wring__recv_deinit(&world->pool);
    world->ops->unlisten(&world->listening, world->listener);
    world->ops->close(world->backend);
    seam_silent_close(world);
    while (world->nears != NULL) {
        seam_near *near = world->nears;
        world->nears = near->next;
        free(near->tx_data);
        free(near);
    }
    if (world->sim != NULL) {
        sim_close(world);
    }
    CHECK(descriptors_count() == world->descriptors);
}

uint64_t seam_random(seam *world, uint64_t bound) {
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->random >> 33) % bound;
}

size_t seam_size(const seam *world, size_t kernel, size_t simulated) {
    return world->sim == NULL ? kernel : simulated;
}

/* ---- operations ------------------------------------------------------------------------------ */

uint64_t seam_op_token(const seam_op *op) {
    return wring__token_pack(op->kind, op->place - 1, op->generation);
}

uint64_t seam_op_begin(seam *world, seam_op *op, enum seam_kind kind) {
    CHECK(!op->is_armed);
    if (op->place == 0) {
        CHECK(world->op_count < SEAM_OPS_MAX);
        world->table[world->op_count++] = op;
        op->place = world->op_count;
    }
    op->kind = (uint8_t)kind;
    op->generation++;
    op->is_armed = true;
    op->is_silent = false;
    return seam_op_token(op);
}

void seam_cancel(seam *world, wring__socket socket, const seam_op *target, seam_op *op) {
    const uint64_t token = seam_op_token(target);
    world->ops->cancel(world->backend, socket, token, seam_op_begin(world, op, SEAM_CANCEL));
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* One token for all of a listener's accepts, as the worker's. */
void seam_accept_arm(seam *world) {
    seam_op *op = &world->accept;
    if (op->generation > 0) {
        op->generation--;
    }
    world->ops->accept(world->backend, world->listener, seam_op_begin(world, op, SEAM_ACCEPT));
}

void seam_accept_cancel(seam *world) {
    if (world->accept.is_armed) {
        seam_cancel(world, WRING__SOCKET_NONE, &world->accept, &world->accept_cancel);
    }
    while (world->accept.is_armed || world->accept_cancel.is_armed) {
        seam_step(world);
    }
}

wring__socket seam_accepted(seam *world) {
    while (world->accepted_taken == world->accepted_count) {
        if (!world->accept.is_armed) {
            seam_accept_arm(world);
        }
        seam_step(world);
    }
    return world->accepted[world->accepted_taken++];
}

static void accepted_put(seam *world, int32_t result) {
    if (result >= 0) {
        CHECK(world->accepted_count < SEAM_OPS_MAX);
        world->accepted[world->accepted_count++] = result;
    }
}

/* ---- the turn -------------------------------------------------------------------------------- */

static bool may_go_on(const seam_op *op) {
    return op->kind == SEAM_ACCEPT || (op->kind == SEAM_RECV && op->near->recv_how == SEAM_RECV_ON);
}

static void completion_take(seam *world, const wring__completion *completion) {
    const uint32_t place = wring__token_slot(completion->token);
    const bool more = (completion->flags & WRING__COMPLETION_MORE) != 0;
    CHECK(place < world->op_count);
    seam_op *op = world->table[place];
    CHECK(op->is_armed && completion->token == seam_op_token(op));
    CHECK(!more || may_go_on(op));
    CHECK(op->kind == SEAM_RECV || (completion->flags & WRING__COMPLETION_BUFFER) == 0);
    op->is_armed = more;
    op->result = completion->result;
    op->completions++;
    op->ended += !more;
    if (op->kind == SEAM_ACCEPT) {
        accepted_put(world, completion->result);
    } else if (op->kind == SEAM_RECV) {
        seam_received(world, op->near, completion);
    } else if (op->kind == SEAM_SEND) {
        seam_sent(op->near, completion->result);
    }
}

/* Sends at once that have no completion by now have taken everything. */
static void silent_sends_end(seam *world) {
    for (uint32_t i = 0; i < world->op_count; i++) {
        seam_op *op = world->table[i];
        if (op->is_armed && op->is_silent) {
            op->is_armed = false;
            seam_sent(op->near, (int32_t)op->near->tx_piece);
        }
    }
}

size_t seam_turn(seam *world, wring_time_ns deadline) {
    wring__completion got[SEAM_TURN_MAX];
    size_t count = 0;
    wring__recv_return(&world->pool);
    if (world->backend->rewinds) {
        wring__recv_rewind(&world->pool);
    }
    CHECK(world->ops->turn(world->backend, deadline, got, world->turn_max, &count) == WRING_OK);
    CHECK(count <= world->turn_max);
    world->turns++;
    memset(world->iov, 0xFF, world->iov_count * sizeof *world->iov); /* they have been read */
    world->iov_count = 0;
    for (size_t i = 0; i < count; i++) {
        completion_take(world, &got[i]);
    }
    if (world->backend->sends_known) {
        silent_sends_end(world);
    }
    return count;
}

void seam_step(seam *world) {
    const wring_time_ns now = world->ops->now(world->backend);
    if (world->sim != NULL) {
        CHECK(++world->steps < PATIENCE_SIMULATED);
    } else {
        CHECK(now - world->began < PATIENCE_NS);
    }
    if (seam_turn(world, now + WRING_NS_PER_MS) == 0) {
        world->far->step(world);
    }
}

void seam_expect_quiet(seam *world) {
    for (int i = 0; i < SEAM_QUIET_STEPS; i++) {
        CHECK(seam_turn(world, world->ops->now(world->backend) + WRING_NS_PER_MS) == 0);
        world->far->step(world);
    }
}
