/* SPDX-License-Identifier: Apache-2.0
 *
 * A topic's coalescing window. See batch.h.
 */
#include "server/batch.h"

#include <stdlib.h>

wring__batch *wring__batch_create(wring__worker *worker, struct wring__topic *topic,
                                  void (*run)(wring__task *task)) {
    wring__batch *batch = calloc(1, sizeof *batch);
    if (batch != NULL) {
        batch->task.run = run;
        batch->worker = worker;
        batch->topic = topic;
    }
    return batch;
}

void wring__batch_clear(wring__batch *batch) {
    wring__worker_unschedule(batch->worker, &batch->task);
    for (uint32_t i = 0; i < batch->count; i++) {
        wring__shared_unref(batch->messages[i]);
    }
    batch->count = 0;
    batch->bytes = 0;
}

void wring__batch_destroy(wring__batch *batch) {
    if (batch != NULL) {
        wring__batch_clear(batch);
        free(batch->messages);
        free(batch);
    }
}

static bool grow(wring__batch *batch) {
    uint32_t cap = batch->cap == 0 ? 16 : batch->cap * 2;
    wring__shared **grown = realloc(batch->messages, cap * sizeof *grown);
    if (grown != NULL) {
        batch->messages = grown;
        batch->cap = cap;
    }
    return grown != NULL;
}

wring_result wring__batch_add(wring__batch *batch, wring__shared *message,
                              wring_duration_ns window) {
    const size_t len = wring__shared_wire(message).len;
    if (batch->count == WRING__BATCH_MESSAGES_MAX || batch->bytes + len > WRING__BATCH_BYTES_MAX) {
        return WRING_ERR_QUEUE_FULL;
    }
    if (batch->count == batch->cap && !grow(batch)) {
        return WRING_ERR_NO_MEMORY;
    }
    if (batch->count == 0 && window > 0) { /* without a window: the turn's deliver phase */
        wring__worker_schedule(batch->worker, &batch->task, batch->worker->now + window);
    }
    batch->messages[batch->count++] = wring__shared_ref(message);
    batch->bytes += len;
    return WRING_OK;
}

wring__shared *wring__batch_join(const wring__batch *batch) {
    wring__shared *joined = wring__shared_create_room(0, 0, batch->bytes);
    if (joined == NULL) {
        return NULL;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        wring_bytes wire = wring__shared_wire(batch->messages[i]);
        memcpy(joined->payload + at, wire.data, wire.len);
        at += wire.len;
    }
    return joined;
}
