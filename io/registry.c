/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker numbers. See registry.h.
 */
#include "io/registry.h"

#include <sched.h>

#include "core/ref.h"

/* A post counts itself in before it looks at the pointer; removal clears the pointer first and then
 * waits for the count. Both orders are seq_cst, so one of the two sees the other. */
static struct entry {
    _Atomic(wring__worker *) worker;
    _Atomic uint32_t posting;
} WRING_CACHE_ALIGNED entries[WRING__WORKERS_MAX + 1];

wring_result wring__registry_add(wring__worker *worker, uint8_t *index) {
    for (unsigned i = 1; i <= WRING__WORKERS_MAX; i++) {
        wring__worker *none = NULL;
        if (atomic_compare_exchange_strong(&entries[i].worker, &none, worker)) {
            *index = (uint8_t)i;
            return WRING_OK;
        }
    }
    return WRING_ERR_INVALID_CONFIG;
}

void wring__registry_remove(uint8_t index) {
    atomic_store(&entries[index].worker, NULL);
    while (atomic_load(&entries[index].posting) != 0) {
        sched_yield();
    }
}

static wring_result post(const void *group, const wring__mail *mail) {
    struct entry *entry = &entries[wring__ref_worker(mail->ref)];
    atomic_fetch_add(&entry->posting, 1);
    wring__worker *worker = atomic_load(&entry->worker);
    wring_result result = WRING_ERR_CLOSED;
    if (worker != NULL && (group == NULL || worker->group == group)) {
        const bool full = mail->kind == WRING__MAIL_SEND &&
                          wring__worker_is_full(worker, wring__ref_slot(mail->ref));
        result = full ? WRING_ERR_QUEUE_FULL : wring__worker_post(worker, mail);
    }
    atomic_fetch_sub(&entry->posting, 1);
    return result;
}

wring_result wring__registry_post(const wring__mail *mail) {
    return post(NULL, mail);
}

wring_result wring__registry_post_to(const void *group, const wring__mail *mail) {
    return post(group, mail);
}
