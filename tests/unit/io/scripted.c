/* SPDX-License-Identifier: Apache-2.0
 *
 * See scripted.h.
 */
#include "tests/unit/io/scripted.h"

#include <stdlib.h>

#define OPS_MAX    16
#define POSTED_MAX 16
#define SENT_MAX   100000

static struct scripted {
    struct wring__backend super;
    struct op {
        enum scripted_kind kind;
        uint64_t token; /* 0: free */
        const uint8_t *data[64];
        size_t len[64];
        size_t count;
        bool at_once;
    } ops[OPS_MAX];
    wring__completion posted[POSTED_MAX];
    size_t posted_count;
    bool home[SCRIPTED_BUFFERS];
    uint8_t sent[SENT_MAX];
    size_t sent_len;
    wring_time_ns now;
    wring_time_ns deadline;
    bool open;
} it;

static struct op *op_find(enum scripted_kind kind) {
    for (size_t i = 0; i < OPS_MAX; i++) {
        if (it.ops[i].token != 0 && it.ops[i].kind == kind) {
            return &it.ops[i];
        }
    }
    return NULL;
}

static struct op *op_new(enum scripted_kind kind, uint64_t token) {
    WRING_ASSERT(token != 0 && op_find(kind) == NULL); /* one of a kind at a time */
    for (size_t i = 0; i < OPS_MAX; i++) {
        if (it.ops[i].token == 0) {
            it.ops[i] = (struct op){.kind = kind, .token = token};
            return &it.ops[i];
        }
    }
    WRING_UNREACHABLE();
}

static void post(uint64_t token, int32_t result, uint16_t flags, uint16_t buffer) {
    WRING_ASSERT(it.posted_count < POSTED_MAX);
    it.posted[it.posted_count++] = (wring__completion){token, result, buffer, flags};
}

static uint16_t buffer_fill(wring_bytes bytes) {
    WRING_ASSERT(bytes.len <= SCRIPTED_BUFFER_SIZE);
    for (uint16_t i = 0; i < SCRIPTED_BUFFERS; i++) {
        if (it.home[i]) {
            it.home[i] = false;
            WRING_UNPOISON(wring__backend_buffer(&it.super, i), bytes.len);
            memcpy(wring__backend_buffer(&it.super, i), bytes.data, bytes.len);
            return i;
        }
    }
    WRING_UNREACHABLE();
}

/* ---- the test's side ------------------------------------------------------------------------- */

uint64_t scripted_token(enum scripted_kind kind) {
    const struct op *op = op_find(kind);
    return op == NULL ? 0 : op->token;
}

size_t scripted_under_way(void) {
    size_t count = 0;
    for (size_t i = 0; i < OPS_MAX; i++) {
        count += it.ops[i].token != 0;
    }
    return count;
}

static void sent_append(const struct op *op, size_t len) {
    for (size_t i = 0; i < op->count && len > 0; i++) {
        const size_t part = wring__min_size(len, op->len[i]);
        WRING_ASSERT(it.sent_len + part <= SENT_MAX);
        memcpy(it.sent + it.sent_len, op->data[i], part);
        it.sent_len += part;
        len -= part;
    }
    WRING_ASSERT(len == 0);
}

void scripted_end(enum scripted_kind kind, int32_t result) {
    struct op *op = op_find(kind);
    WRING_ASSERT(op != NULL);
    if (kind == SCRIPTED_SEND && result > 0) {
        sent_append(op, (size_t)result);
    }
    post(op->token, result, 0, 0);
    op->token = 0;
}

size_t scripted_send_len(void) {
    const struct op *op = op_find(SCRIPTED_SEND);
    size_t len = 0;
    for (size_t i = 0; op != NULL && i < op->count; i++) {
        len += op->len[i];
    }
    return len;
}

void scripted_receive(wring_bytes bytes, bool more) {
    struct op *op = op_find(SCRIPTED_RECV);
    WRING_ASSERT(op != NULL);
    post(op->token, (int32_t)bytes.len,
         WRING__COMPLETION_BUFFER | (more ? WRING__COMPLETION_MORE : 0), buffer_fill(bytes));
    op->token = more ? op->token : 0;
}

void scripted_accept(wring__socket socket, bool more) {
    struct op *op = op_find(SCRIPTED_ACCEPT);
    WRING_ASSERT(op != NULL);
    post(op->token, socket, more ? WRING__COMPLETION_MORE : 0, 0);
    op->token = more ? op->token : 0;
}

void scripted_stray(uint64_t token, int32_t result, wring_bytes bytes) {
    if (bytes.len == 0) {
        post(token, result, 0, 0);
    } else {
        post(token, result, WRING__COMPLETION_BUFFER | WRING__COMPLETION_MORE, buffer_fill(bytes));
    }
}

void scripted_sends_at_once(bool known) {
    it.super.sends_at_once = true;
    it.super.sends_known = known;
}

void scripted_took_all(void) {
    struct op *op = op_find(SCRIPTED_SEND);
    WRING_ASSERT(op != NULL && op->at_once);
    for (size_t i = 0; i < op->count; i++) {
        memcpy(it.sent + it.sent_len, op->data[i], op->len[i]);
        it.sent_len += op->len[i];
        WRING_ASSERT(it.sent_len <= SENT_MAX);
    }
    op->token = 0;
}

bool scripted_is_at_once(void) {
    const struct op *op = op_find(SCRIPTED_SEND);
    return op != NULL && op->at_once;
}

wring_time_ns scripted_deadline(void) {
    return it.deadline;
}

wring_bytes scripted_sent(void) {
    return wring_bytes_of(it.sent, it.sent_len);
}

size_t scripted_buffers_home(void) {
    size_t count = 0;
    for (size_t i = 0; i < SCRIPTED_BUFFERS; i++) {
        count += it.home[i];
    }
    return count;
}

void scripted_advance(wring_duration_ns by) {
    it.now += by;
}

/* ---- the worker's side ----------------------------------------------------------------------- */

static wring_result scripted_open(const wring__backend_config *config, wring__backend **out,
                                  wring_error *error) {
    static uint8_t buffers[SCRIPTED_BUFFERS * SCRIPTED_BUFFER_SIZE];
    (void)config;
    (void)error;
    WRING_ASSERT(!it.open);
    memset(&it, 0, sizeof it);
    it.super.ops = &scripted_ops;
    it.super.buffers = buffers;
    it.super.buffer_count = SCRIPTED_BUFFERS;
    it.super.buffer_size = SCRIPTED_BUFFER_SIZE;
    it.super.read_size = SCRIPTED_BUFFER_SIZE;
    memset(it.home, true, sizeof it.home);
    it.now = WRING_NS_PER_SEC;
    it.open = true;
    *out = &it.super;
    return WRING_OK;
}

static void scripted_close(wring__backend *super) {
    (void)super;
    it.open = false;
}

static void scripted_accept_op(wring__backend *super, wring__socket listener, uint64_t token) {
    (void)super;
    (void)listener;
    op_new(SCRIPTED_ACCEPT, token);
}

static void scripted_recv(wring__backend *super, wring__socket socket, uint64_t token) {
    (void)super;
    (void)socket;
    op_new(SCRIPTED_RECV, token);
}

static bool scripted_send(wring__backend *super, wring__socket socket, uint64_t token,
                          const struct iovec *iov, size_t count) {
    (void)super;
    (void)socket;
    struct op *op = op_new(SCRIPTED_SEND, token);
    WRING_ASSERT(count <= WRING_ARRAY_LEN(op->len));
    op->count = count;
    for (size_t i = 0; i < count; i++) {
        op->data[i] = iov[i].iov_base;
        op->len[i] = iov[i].iov_len;
    }
    return false;
}

static void scripted_send_at_once(wring__backend *super, wring__socket socket, uint64_t token,
                                  const struct iovec *iov, size_t count) {
    (void)scripted_send(super, socket, token, iov, count);
    op_find(SCRIPTED_SEND)->at_once = true;
}

static void scripted_shutdown(wring__backend *super, wring__socket socket, uint64_t token,
                              int how) {
    (void)super;
    (void)socket;
    (void)how;
    op_new(SCRIPTED_SHUTDOWN, token);
}

static void scripted_cancel(wring__backend *super, wring__socket socket, uint64_t target,
                            uint64_t token) {
    (void)socket;
    (void)super;
    (void)target;
    op_new(SCRIPTED_CANCEL, token);
}

static void scripted_close_socket(wring__backend *super, wring__socket socket, uint64_t token) {
    (void)super;
    (void)socket;
    op_new(SCRIPTED_CLOSE, token);
}

static wring_result scripted_turn(wring__backend *super, wring_time_ns deadline,
                                  wring__completion *out, size_t max, size_t *count) {
    (void)super;
    it.deadline = deadline;
    WRING_ASSERT(max >= it.posted_count);
    memcpy(out, it.posted, it.posted_count * sizeof *out);
    *count = it.posted_count;
    it.posted_count = 0;
    return WRING_OK;
}

static void scripted_buffers_return(wring__backend *super, const uint16_t *buffers, size_t count) {
    (void)super;
    for (size_t i = 0; i < count; i++) {
        WRING_ASSERT(!it.home[buffers[i]]);
        it.home[buffers[i]] = true;
    }
}

static void scripted_wake(wring__backend *super, wring__backend *from) {
    (void)super;
    (void)from;
}

static wring_time_ns scripted_now(wring__backend *super) {
    (void)super;
    return it.now;
}

const wring__backend_ops scripted_ops = {
    .name = "scripted",
    .open = scripted_open,
    .close = scripted_close,
    .accept = scripted_accept_op,
    .recv = scripted_recv,
    .send = scripted_send,
    .send_at_once = scripted_send_at_once,
    .shutdown = scripted_shutdown,
    .cancel = scripted_cancel,
    .close_socket = scripted_close_socket,
    .turn = scripted_turn,
    .buffers_return = scripted_buffers_return,
    .wake = scripted_wake,
    .now = scripted_now,
};
