/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages a slow connection may yet lose. See backlog.h.
 */
#include "server/backlog.h"

#include <stdlib.h>

#define CAP_FIRST 8

static uint32_t place(const wring__backlog *backlog, uint32_t i) {
    return (backlog->head + i) & (backlog->cap - 1);
}

/* Moves everything that waits to the front of arrays of `cap`, without holes. */
static wring_result rebuild(wring__backlog *backlog, uint32_t cap) {
    wring__shared **messages = calloc(cap, sizeof *messages);
    uint64_t *ids = calloc(cap, sizeof *ids);
    if (messages == NULL || ids == NULL) {
        free(messages);
        free(ids);
        return WRING_ERR_NO_MEMORY;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < backlog->count; i++) {
        const uint32_t at = place(backlog, i);
        if (backlog->messages[at] != NULL) {
            messages[n] = backlog->messages[at];
            ids[n++] = backlog->ids[at];
        }
    }
    free(backlog->messages);
    free(backlog->ids);
    backlog->messages = messages;
    backlog->ids = ids;
    backlog->cap = cap;
    backlog->head = 0;
    backlog->count = n;
    return WRING_OK;
}

static wring_result reserve(wring__backlog *backlog) {
    if (backlog->count < backlog->cap) {
        return WRING_OK;
    }
    if (backlog->alive == WRING__BACKLOG_MAX) {
        return WRING_ERR_QUEUE_FULL;
    }
    if (backlog->cap == 0) {
        return rebuild(backlog, CAP_FIRST);
    }
    /* half of it holes: room enough without growing */
    const bool grow = backlog->alive > backlog->cap / 2 && backlog->cap < WRING__BACKLOG_MAX;
    return rebuild(backlog, grow ? backlog->cap * 2 : backlog->cap);
}

wring_result wring__backlog_push(wring__backlog *backlog, wring__shared *message, uint64_t id) {
    wring_result result = reserve(backlog);
    if (result != WRING_OK) {
        return result;
    }
    const uint32_t at = place(backlog, backlog->count++);
    backlog->messages[at] = wring__shared_ref(message);
    backlog->ids[at] = id;
    backlog->alive++;
    backlog->bytes += wring__shared_wire(message).len;
    return WRING_OK;
}

static wring__shared *take(wring__backlog *backlog, uint32_t at) {
    wring__shared *message = backlog->messages[at];
    backlog->messages[at] = NULL;
    backlog->alive--;
    backlog->bytes -= wring__shared_wire(message).len;
    return message;
}

wring__shared *wring__backlog_pop(wring__backlog *backlog) {
    while (backlog->count > 0) {
        const uint32_t at = backlog->head;
        backlog->head = place(backlog, 1);
        backlog->count--;
        if (backlog->messages[at] != NULL) {
            return take(backlog, at);
        }
    }
    return NULL;
}

bool wring__backlog_remove(wring__backlog *backlog, uint64_t id) {
    for (uint32_t i = 0; i < backlog->count; i++) {
        const uint32_t at = place(backlog, i);
        if (backlog->ids[at] == id && backlog->messages[at] != NULL) {
            wring__shared_unref(take(backlog, at));
            return true;
        }
    }
    return false;
}

void wring__backlog_deinit(wring__backlog *backlog) {
    wring__shared *message;
    while ((message = wring__backlog_pop(backlog)) != NULL) {
        wring__shared_unref(message);
    }
    free(backlog->messages);
    free(backlog->ids);
    memset(backlog, 0, sizeof *backlog);
}
