/* SPDX-License-Identifier: Apache-2.0
 *
 * Visits. See visit.h.
 *
 * A visit walks over the worker's slots, some in each turn. A session keeps its slot, so one that
 * is open all the while is met once, whatever comes and goes around it.
 */
#include "server/visit.h"

#include <stdlib.h>

#include "core/ref.h"
#include "core/sized.h"
#include "io/registry.h"
#include "server/peer.h"
#include "server/server.h"
#include "server/slow.h"

/* In one turn. */
#define SESSIONS_MAX 1024
#define SLOTS_MAX    16384

struct wring__visit {
    wring__call call; /* until it has begun */
    wring__task task; /* the next turn's part */
    wring__server_worker *worker;
    struct wring__visit *next; /* of the worker */
    wring_visit config;
    uint64_t visited;
    uint32_t slot; /* the next one */
};

static struct wring__visit *visit_create(const wring_visit *config) {
    struct wring__visit *visit = calloc(1, sizeof *visit);
    if (visit != NULL) {
        visit->config = *config;
    }
    return visit;
}

static void visit_end(struct wring__visit *visit, bool is_whole) {
    if (visit->config.done != NULL) {
        visit->config.done(visit->visited, is_whole, visit->config.opts);
    }
    free(visit);
}

static void visit_unlink(struct wring__visit *visit) {
    struct wring__visit **link = &visit->worker->visits;
    while (*link != visit) {
        link = &(*link)->next;
    }
    *link = visit->next;
}

/* NULL: no open session of the server's. */
static wring__peer *peer_at(wring__server_worker *worker, uint32_t slot) {
    wring__endpoint *end = wring__worker_end_at(&worker->io, slot);
    wring__peer *peer = end == NULL ? NULL : wring__peer_of_end(end);
    const bool open = peer != NULL && wring__stream_is_started(&peer->stream) &&
                      peer->stream.session.machine.state == WRING_MACHINE_OPEN;
    return open ? peer : NULL;
}

static void visit_on(struct wring__visit *visit) {
    wring__server_worker *worker = visit->worker;
    const uint64_t most = visit->visited + SESSIONS_MAX;
    const uint32_t until = visit->slot + SLOTS_MAX;
    while (visit->slot < wring__worker_slots(&worker->io)) {
        if (visit->slot == until || visit->visited == most) {
            wring__worker_schedule(&worker->io, &visit->task, worker->io.now + 1);
            return;
        }
        wring__peer *peer = peer_at(worker, visit->slot++);
        if (peer != NULL) {
            visit->visited++;
            worker->io.mail_work++;
            if (visit->config.session == NULL) { /* one of our own */
                wring__slow_review(peer);
                wring__stream_settle(&peer->stream);
            } else {
                wring__peer_visit(peer, visit->config.session, visit->config.opts);
            }
        }
    }
    visit_unlink(visit);
    visit_end(visit, true);
}

static void visit_again(wring__task *task) {
    visit_on(WRING_CONTAINER_OF(task, struct wring__visit, task));
}

static void visit_begin(struct wring__visit *visit, wring__server_worker *worker) {
    visit->worker = worker;
    visit->task.run = visit_again;
    visit->next = worker->visits;
    worker->visits = visit;
    visit_on(visit);
}

static void visit_called(wring__call *call, void *io) {
    visit_begin(WRING_CONTAINER_OF(call, struct wring__visit, call),
                WRING_CONTAINER_OF(io, wring__server_worker, io));
}

static void visit_lost(wring__call *call) {
    visit_end(WRING_CONTAINER_OF(call, struct wring__visit, call), false);
}

void wring__visit_end_all(wring__server_worker *worker) {
    while (worker->visits != NULL) {
        struct wring__visit *visit = worker->visits;
        worker->visits = visit->next;
        wring__worker_unschedule(&worker->io, &visit->task);
        visit_end(visit, false);
    }
}

wring_result wring_server_visit(wring_server *server, uint32_t worker, const wring_visit *visit) {
    wring_visit config;
    if (worker >= server->config.workers || visit == NULL ||
        wring__sized_adopt(&config, sizeof config, visit, offsetof(wring_visit, done),
                           "wring_visit", NULL) != WRING_OK ||
        config.session == NULL) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    struct wring__visit *made = visit_create(&config);
    if (made == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    made->call = (wring__call){visit_called, visit_lost};
    const wring__mail mail = {
        .kind = WRING__MAIL_CALL,
        .ref = wring__ref_pack(atomic_load(&server->workers[worker].address), 0, 0),
        .data = &made->call};
    const wring_result result = wring__registry_post_to(server, &mail);
    if (result != WRING_OK) {
        free(made);
    }
    return result;
}

/* ---- of our own ------------------------------------------------------------------------------ */

void wring__visit_settle_all(wring__server_worker *worker) {
    const wring_visit config = {.struct_size = sizeof config};
    struct wring__visit *visit = visit_create(&config);
    if (visit != NULL) { /* without memory the sessions look with their next message */
        visit->worker = worker;
        visit->task.run = visit_again;
        visit->next = worker->visits;
        worker->visits = visit;
        wring__worker_schedule(&worker->io, &visit->task, worker->io.now);
    }
}
