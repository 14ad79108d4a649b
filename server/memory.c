/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory budget. See memory.h.
 */
#include "server/memory.h"

#include "core/shared.h"
#include "server/http.h"
#include "server/peer.h"
#include "server/server.h"
#include "server/tell.h"

#define LOOK_AGAIN_NS  (10 * WRING_NS_PER_MS)
#define PATIENCE_NS    (WRING_NS_PER_SEC)
#define EVICT_PAUSE_NS (20 * WRING_NS_PER_MS)
#define EVICT_MAX      8 /* at a time */

static uint64_t percent(uint64_t budget, unsigned share) {
    return budget / 100 * share;
}

static uint64_t held_by_all(const wring_server *server) {
    uint64_t sum = wring__shared_bytes();
    for (uint32_t i = 0; i < server->config.workers; i++) {
        sum += atomic_load_explicit(&server->workers[i].held, memory_order_relaxed);
    }
    return sum;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void look_again(wring__task *task) {
    (void)task; /* the turn that runs it looks at its end */
}

static void reading_stop(wring__server_worker *worker) {
    worker->memory.stopped_since = worker->io.now;
    worker->io.rx_stopped = true;
    wring__count(&worker->counters.memory_stops, 1);
}

static void peer_read_on(wring__endpoint *end, void *unused) {
    (void)unused;
    wring__end_rx_go(end, WRING__RX_STOP_MEMORY);
}

static void reading_resume(wring__server_worker *worker) {
    worker->memory.stopped_since = 0;
    worker->io.rx_stopped = false;
    wring__worker_each(&worker->io, peer_read_on, NULL);
}

/* ---- the largest holders --------------------------------------------------------------------- */

struct largest {
    struct {
        wring__peer *peer;
        uint64_t bytes;
    } list[EVICT_MAX]; /* the first is the largest */
    unsigned count;
};

static uint64_t bytes_of(const wring__peer *peer) {
    const uint64_t waiting = peer->extra == NULL ? 0 : peer->extra->backlog.bytes;
    if (!wring__stream_is_started(&peer->stream)) {
        return wring__end_held_bytes(&peer->stream.end) + wring__http_held(peer);
    }
    return wring__end_held_bytes(&peer->stream.end) +
           wring__machine_held(&peer->stream.session.machine) + waiting;
}

static void largest_add(wring__endpoint *end, void *arg) {
    struct largest *largest = arg;
    wring__peer *peer = wring__peer_of_end(end);
    if (peer == NULL || end->state >= WRING__END_TEARDOWN) {
        return;
    }
    const uint64_t bytes = bytes_of(peer);
    unsigned at = largest->count;
    while (at > 0 && largest->list[at - 1].bytes < bytes) {
        at--;
    }
    if (bytes == 0 || at == EVICT_MAX) {
        return;
    }
    largest->count += largest->count < EVICT_MAX;
    for (unsigned i = largest->count - 1; i > at; i--) {
        largest->list[i] = largest->list[i - 1];
    }
    largest->list[at].peer = peer;
    largest->list[at].bytes = bytes;
}

/* Ends the largest of this worker until `excess` is covered. Not one that holds little: then it is
 * not the connections that hold it. */
static void evict(wring__server_worker *worker, uint64_t excess) {
    struct largest largest = {.count = 0};
    uint64_t covered = 0;
    wring__worker_each(&worker->io, largest_add, &largest);
    for (unsigned i = 0; i < largest.count && covered < excess; i++) {
        if (largest.list[i].bytes < 4096) {
            break;
        }
        covered += largest.list[i].bytes;
        wring__count(&worker->counters.memory_evicted, 1);
        wring__peer_evict(largest.list[i].peer, WRING_ERR_MEMORY_BUDGET);
    }
    worker->memory.evict_again_at = worker->io.now + EVICT_PAUSE_NS;
}

/* Who holds more than its share goes first. */
static bool is_above_average(const wring__server_worker *worker, uint64_t total) {
    return atomic_load_explicit(&worker->held, memory_order_relaxed) >=
           total / worker->server->config.workers / 2;
}

/* ---- the look -------------------------------------------------------------------------------- */

/* Others hold it: one that holds next to nothing reads on, or its peers would wait for as long as
 * somebody else's fill what was made free. All such workers together hold a tenth at most. */
static bool is_light(const wring__server_worker *worker, uint64_t total, uint64_t budget) {
    const uint64_t own = atomic_load_explicit(&worker->held, memory_order_relaxed);
    const uint64_t shared = wring__shared_bytes();
    const uint64_t others = total > shared + own ? total - shared - own : 0;
    return own < percent(budget, 10) / worker->server->config.workers &&
           others >= percent(budget, 50);
}

static void act(wring__server_worker *worker, uint64_t total, uint64_t budget) {
    wring__memory *memory = &worker->memory;
    const wring_time_ns now = worker->io.now;
    const bool light = total >= percent(budget, 80) && is_light(worker, total, budget);
    worker->io.chunks.blocks.lean = total >= percent(budget, 50);
    memory->refuses = total >= percent(budget, 95);
    if (memory->stopped_since == 0 && total >= percent(budget, 85) && !light) {
        reading_stop(worker);
        wring__tell_memory(worker, true, total);
    } else if (memory->stopped_since != 0 && (total < percent(budget, 80) || light)) {
        reading_resume(worker);
        wring__tell_memory(worker, false, total);
    }
    if (memory->stopped_since == 0) {
        return;
    }
    wring__worker_schedule(&worker->io, &memory->task, now + LOOK_AGAIN_NS);
    const bool stuck = now - memory->stopped_since >= PATIENCE_NS;
    const bool must = total >= percent(budget, 90) || (stuck && total >= percent(budget, 80));
    if (must && now >= memory->evict_again_at && is_above_average(worker, total)) {
        evict(worker, total - percent(budget, 80));
    }
}

bool wring__memory_is_short(const wring__server_worker *worker) {
    const uint64_t budget = worker->server->config.memory_budget_bytes;
    if (budget == WRING_UNLIMITED) {
        return false;
    }
    const uint64_t told = atomic_load_explicit(&worker->held, memory_order_relaxed);
    const uint64_t held = wring__chunk_cache_held(&worker->io.chunks);
    return held_by_all(worker->server) - told + held >= percent(budget, 90);
}

void wring__memory_look(wring__server_worker *worker) {
    const uint64_t budget = worker->server->config.memory_budget_bytes;
    if (budget == WRING_UNLIMITED) {
        return;
    }
    const uint64_t held = wring__chunk_cache_held(&worker->io.chunks);
    if (held != atomic_load_explicit(&worker->held, memory_order_relaxed)) {
        atomic_store_explicit(&worker->held, held, memory_order_relaxed);
    }
    act(worker, held_by_all(worker->server), budget);
}

void wring__memory_init(wring__server_worker *worker) {
    memset(&worker->memory, 0, sizeof worker->memory);
    worker->memory.task.run = look_again;
}

void wring__memory_deinit(wring__server_worker *worker) {
    wring__worker_unschedule(&worker->io, &worker->memory.task);
    atomic_store(&worker->held, 0);
}
