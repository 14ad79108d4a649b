/* SPDX-License-Identifier: Apache-2.0
 *
 * What lives on a worker beside its endpoints: tasks at a time, descriptors of libraries that are
 * waited for, guests. See worker.h.
 */
#include "io/worker.h"

void wring__worker_schedule(wring__worker *worker, wring__task *task, wring_time_ns at) {
    WRING_ASSERT(task->run != NULL);
    wring__wheel_set(&worker->task_wheel, &task->timer, at);
}

void wring__worker_set_owner_timer(wring__worker *worker, wring_time_ns at) {
    wring__wheel_set(&worker->task_wheel, &worker->owner_timer, at);
}

void wring__worker_unschedule(wring__worker *worker, wring__task *task) {
    wring__wheel_cancel(&worker->task_wheel, &task->timer);
}

wring_result wring__worker_watch(wring__worker *worker, wring__watch *watch, int descriptor,
                                 uint32_t events) {
    wring__worker_unwatch(worker, watch);
    wring_result result =
        wring__slots_acquire(&worker->watches, watch, &watch->slot, &watch->generation);
    if (result != WRING_OK) {
        watch->generation = 0;
        return WRING_ERR_NO_MEMORY;
    }
    worker->pending++;
    worker->backend->ops->poll(worker->backend, descriptor, events,
                               wring__token_pack(WRING__OP_POLL, watch->slot, watch->generation));
    return WRING_OK;
}

/* The completion that is still owed finds the slot released. */
void wring__worker_unwatch(wring__worker *worker, wring__watch *watch) {
    if (watch->generation == 0) {
        return;
    }
    const uint64_t target = wring__token_pack(WRING__OP_POLL, watch->slot, watch->generation);
    wring__slots_release(&worker->watches, watch->slot, watch->generation);
    watch->generation = 0;
    worker->pending++;
    worker->backend->ops->cancel(worker->backend, WRING__SOCKET_NONE, target,
                                 wring__token_pack(WRING__OP_CANCEL, 0, 0));
}

void wring__worker_add_guest(wring__worker *worker, wring__guest *guest) {
    WRING_ASSERT(guest->link == NULL && guest->drain != NULL && guest->abort != NULL);
    guest->next = worker->guests;
    guest->link = &worker->guests;
    if (guest->next != NULL) {
        guest->next->link = &guest->next;
    }
    worker->guests = guest;
}

void wring__worker_remove_guest(wring__guest *guest) {
    if (guest->link == NULL) {
        return;
    }
    *guest->link = guest->next;
    if (guest->next != NULL) {
        guest->next->link = guest->link;
    }
    guest->link = NULL;
}

void wring__worker_drain_guests(wring__worker *worker) {
    for (wring__guest *guest = worker->guests, *next; guest != NULL; guest = next) {
        next = guest->next; /* it may leave, but only itself */
        guest->drain(guest);
    }
}

void wring__worker_abort_guests(wring__worker *worker) {
    for (wring__guest *guest = worker->guests, *next; guest != NULL; guest = next) {
        next = guest->next;
        guest->abort(guest);
    }
}
