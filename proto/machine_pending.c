/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that go out in fragments (RFC 6455 5.4), and what waits behind them: control frames may
 * go between, other messages wait, in order, and the machine keeps them.
 *
 *   - a long message that is compressed over several turns: each makes a fragment (RFC 7692 6.1);
 *     what must not wait any more is sent as it is;
 *   - a message that its sender begins, continues and ends: wring_machine_message_begin.
 */
#include <stdlib.h>

#include "core/count.h"
#include "proto/kernels.h"
#include "proto/machine_parts.h"

struct waiting {
    struct waiting *next;
    wring__shared *message; /* with a header: framed, published; without: to be framed here, and
                               `compress` is the frame's */
};

struct wring__pending {
    wring_machine *machine;
    struct waiting *head; /* the message under way, unless one is open, and those behind it */
    struct waiting *tail;
    uint64_t behind; /* what the latter count for */
    wring__deflation deflation;
    bool is_begun;  /* a fragment was sent */
    uint8_t opcode; /* of the open message */
    uint32_t utf8;  /* validator state of an open text */
};

/* NULL: nothing waits. A machine has no room for a pointer that few of them need. */
static struct wring__pending *pending_of(const wring_machine *machine) {
    return machine->pending_at == 0 ? NULL : machine->common->pendings[machine->pending_at - 1];
}

static wring_frame frame_of(const wring__shared *message) {
    return (wring_frame){(wring_opcode)message->opcode, 0, message->compress,
                         wring_bytes_of(message->payload, message->payload_len)};
}

/* ---- waiting --------------------------------------------------------------------------------- */

static uint64_t cost_of(const wring__shared *message) {
    return message->payload_len + WRING__WAITING_OVERHEAD;
}

#define TXS_MIN 16

static bool pendings_reserve(wring__machine_common *common) {
    if (common->pending_count < common->pending_cap) {
        return true;
    }
    const uint32_t cap = common->pending_cap == 0 ? TXS_MIN : common->pending_cap * 2;
    struct wring__pending **grown =
        realloc(common->pendings, cap * sizeof(struct wring__pending *));
    if (grown == NULL) {
        return false;
    }
    common->pendings = grown;
    common->pending_cap = cap;
    return true;
}

static struct wring__pending *pending_make(wring_machine *machine) {
    wring__machine_common *common = machine->common;
    struct wring__pending *tx = pending_of(machine);
    if (tx != NULL || !pendings_reserve(common)) {
        return tx;
    }
    tx = calloc(1, sizeof *tx);
    if (tx != NULL) {
        tx->machine = machine;
        common->pendings[common->pending_count++] = tx;
        machine->pending_at = common->pending_count;
    }
    return tx;
}

/* The last one takes its place. */
static void pending_free(wring_machine *machine) {
    wring__machine_common *common = machine->common;
    struct wring__pending *tx = pending_of(machine);
    WRING_ASSERT(tx->head == NULL && !tx->deflation.has_place);
    struct wring__pending *last = common->pendings[--common->pending_count];
    common->pendings[machine->pending_at - 1] = last;
    last->machine->pending_at = machine->pending_at;
    machine->pending_at = 0;
    free(tx);
}

static void pending_free_when_empty(wring_machine *machine, const struct wring__pending *tx) {
    if (tx->head == NULL) {
        pending_free(machine);
    }
}

/* Own: takes the reference. */
static wring_result pending_push(wring_machine *machine, wring__shared *message) {
    struct waiting *last = message == NULL ? NULL : malloc(sizeof *last);
    struct wring__pending *tx = last == NULL ? NULL : pending_make(machine);
    if (tx == NULL) {
        free(last);
        if (message != NULL) {
            wring__shared_unref(message);
        }
        return WRING_ERR_NO_MEMORY;
    }
    *last = (struct waiting){NULL, message};
    if (tx->head == NULL) {
        tx->head = last;
    } else {
        tx->tail->next = last;
    }
    if (machine->message_open || tx->head != last) {
        tx->behind += cost_of(message);
    }
    tx->tail = last;
    return WRING_OK;
}

wring_result wring__machine_pending_add(wring_machine *machine, const wring_frame *frame) {
    return pending_push(machine, wring__shared_of_frame(frame));
}

wring_result wring__machine_pending_add_shared(wring_machine *machine, wring__shared *shared) {
    return pending_push(machine, wring__shared_ref(shared));
}

/* It is what is sent now. */
static void head_begin(struct wring__pending *tx) {
    tx->behind -= tx->head == NULL ? 0 : cost_of(tx->head->message);
    tx->is_begun = false;
}

static void pending_pop(struct wring__pending *tx) {
    struct waiting *first = tx->head;
    tx->head = first->next;
    tx->tail = tx->head == NULL ? NULL : tx->tail;
    head_begin(tx);
    wring__shared_unref(first->message);
    free(first);
}

uint64_t wring__machine_pending_behind(const wring_machine *machine) {
    const struct wring__pending *tx = pending_of(machine);
    return tx == NULL ? 0 : tx->behind;
}

uint64_t wring__machine_pending_bytes(const wring_machine *machine) {
    const struct wring__pending *tx = pending_of(machine);
    if (tx == NULL) {
        return 0;
    }
    const uint64_t first = machine->message_open ? 0 : tx->head->message->payload_len;
    return tx->behind + first - tx->deflation.taken;
}

void wring__machine_pending_drop(wring_machine *machine) {
    struct wring__pending *tx = pending_of(machine);
    if (tx != NULL) {
        uint64_t *lost = machine->common->lost;
        wring__deflate_drop(machine->deflate, &tx->deflation);
        for (; tx->head != NULL; pending_pop(tx)) {
            if (lost != NULL) {
                wring__count(lost, 1);
            }
        }
        machine->message_open = false;
        pending_free(machine);
    }
}

/* ---- fragments ------------------------------------------------------------------------------- */

/* RFC 7692 6.1: RSV1 on the first fragment only. */
static uint8_t first_byte(const struct wring__pending *tx, bool is_last) {
    const uint8_t opcode = tx->is_begun ? (uint8_t)WRING_CONTINUATION : tx->head->message->opcode;
    return (uint8_t)((is_last ? WRING__FIN : 0) | (tx->is_begun ? 0 : WRING__RSV1) | opcode);
}

static wring_result fragment_send(wring_machine *machine, struct wring__pending *tx) {
    const wring_frame frame = frame_of(tx->head->message);
    wring_bytes made;
    wring_result result =
        wring__deflate_share(machine->deflate, machine, &frame, &tx->deflation, &made);
    if (result != WRING_OK && result != WRING_MORE) {
        return result;
    }
    const bool is_last = result == WRING_OK;
    if (is_last && made.len == 0) { /* it does not pay */
        return wring__machine_append(machine, (uint8_t)(WRING__FIN | frame.opcode), frame.payload);
    }
    if (made.len > 0) {
        const wring_result sent = wring__machine_append(machine, first_byte(tx, is_last), made);
        tx->is_begun = true;
        return sent == WRING_OK ? result : sent;
    }
    return result;
}

/* The first that waits, in one frame, not compressed here. */
static wring_result head_send_plain(wring_machine *machine, const struct wring__pending *tx) {
    wring__shared *message = tx->head->message;
    const wring_frame frame = frame_of(message);
    return message->header_len > 0
               ? wring__machine_shared_append(machine, message)
               : wring__machine_append(machine, (uint8_t)(WRING__FIN | frame.opcode),
                                       frame.payload);
}

/* WRING_MORE: it is not all sent, or not its turn. */
static wring_result head_send(wring_machine *machine, struct wring__pending *tx) {
    if (tx->head->message->header_len > 0 || machine->deflate == NULL) {
        return head_send_plain(machine, tx);
    }
    const wring_frame frame = frame_of(tx->head->message);
    if (tx->deflation.has_place || wring__deflate_is_long(machine->deflate, &frame)) {
        return fragment_send(machine, tx);
    }
    return wring__deflate_is_spent(machine->deflate, machine)
               ? WRING_MORE
               : wring__machine_deflate_append(machine, &frame);
}

/* One after another, until `send` says WRING_MORE or fails, which ends the machine. */
static void heads_send(wring_machine *machine,
                       wring_result (*send)(wring_machine *machine, struct wring__pending *tx)) {
    struct wring__pending *tx;
    while (!machine->message_open && (tx = pending_of(machine)) != NULL) {
        const wring_result result = send(machine, tx);
        if (result == WRING_MORE) {
            return;
        }
        if (result != WRING_OK) {
            wring__machine_end(machine, result, WRING_CLOSE_ABNORMAL, false);
            return;
        }
        pending_pop(tx);
        pending_free_when_empty(machine, tx);
    }
}

void wring__machine_pending_go_on(wring_machine *machine) {
    heads_send(machine, head_send);
}

/* ---- what does not wait any more ------------------------------------------------------------- */

#define STORED_MAX 65535

/* Stored blocks, which begin and end with a byte (RFC 1951 3.2.4), and the end of a message: an
 * empty one without its last four bytes (RFC 7692 7.2.1). */
static uint8_t *stored_write(uint8_t *to, wring_bytes rest) {
    while (rest.len > 0) {
        const size_t len = wring__min_size(rest.len, STORED_MAX);
        const uint16_t size = (uint16_t)len;
        *to++ = 0;
        *to++ = (uint8_t)size;
        *to++ = (uint8_t)(size >> 8);
        *to++ = (uint8_t)~size;
        *to++ = (uint8_t)(~size >> 8);
        memcpy(to, rest.data, len);
        to += len;
        rest = wring_bytes_of(rest.data + len, rest.len - len);
    }
    *to++ = 0;
    return to;
}

/* The rest of the message under way as one last fragment: what zlib still has, then as it is. */
static wring_result rest_send(wring_machine *machine, struct wring__pending *tx) {
    const wring_frame frame = frame_of(tx->head->message);
    const size_t taken = tx->deflation.taken;
    const wring_bytes rest = wring_bytes_of(frame.payload.data + taken, frame.payload.len - taken);
    wring_bytes made;
    wring_result result = wring__deflate_cut(machine->deflate, &tx->deflation, &made);
    if (result != WRING_OK) {
        return result;
    }
    uint8_t *last = malloc(made.len + rest.len + 5 * (rest.len / STORED_MAX + 1) + 1);
    if (last == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    memcpy(last, made.data, made.len);
    const uint8_t *end = stored_write(last + made.len, rest);
    result = wring__machine_append(machine, first_byte(tx, true),
                                   wring_bytes_of(last, (size_t)(end - last)));
    free(last);
    return result;
}

static wring_result head_finish(wring_machine *machine, struct wring__pending *tx) {
    return tx->deflation.has_place ? rest_send(machine, tx) : head_send_plain(machine, tx);
}

void wring__machine_pending_finish(wring_machine *machine) {
    if (machine->message_open) { /* nothing may come between its fragments, and it has no end */
        wring__machine_pending_drop(machine);
    }
    heads_send(machine, head_finish);
}

/* ---- a message whose length is not known yet ------------------------------------------------- */

/* WRING_OK: this piece may be sent; `utf8` is the state behind it. */
static wring_result piece_check(const wring_machine *machine, uint8_t opcode, wring_bytes piece,
                                uint32_t *utf8) {
    size_t bad_at;
    if (piece.len > 0 && wring__machine_out(machine)->bytes >= machine->common->queue_max) {
        return WRING_ERR_QUEUE_FULL;
    }
    if (opcode == WRING_TEXT && piece.len > 0) {
        *utf8 = wring__utf8_feed(*utf8, piece.data, piece.len, &bad_at);
    }
    return *utf8 == WRING__UTF8_REJECT ? WRING_ERR_INVALID_UTF8 : WRING_OK;
}

static wring_result piece_send(wring_machine *machine, struct wring__pending *tx, wring_bytes piece,
                               bool is_last) {
    if (piece.len == 0 && !is_last) {
        return WRING_OK;
    }
    const uint8_t opcode = tx->is_begun ? (uint8_t)WRING_CONTINUATION : tx->opcode;
    const wring_result result =
        wring__machine_append(machine, (uint8_t)((is_last ? WRING__FIN : 0) | opcode), piece);
    tx->is_begun |= result == WRING_OK;
    return result;
}

static void open_set(wring_machine *machine, bool is_open) {
    machine->message_open = is_open;
    machine->send_gated = is_open; /* it is OPEN, and no close frame was sent */
}

static wring_result open_begin(wring_machine *machine, wring_opcode opcode, wring_bytes payload,
                               uint32_t utf8) {
    wring__machine_pending_finish(machine);
    if (machine->state == WRING_MACHINE_CLOSED) {
        return (wring_result)machine->end_result;
    }
    struct wring__pending *tx = pending_make(machine);
    if (tx == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    tx->opcode = (uint8_t)opcode;
    tx->utf8 = utf8;
    const wring_result result = piece_send(machine, tx, payload, false);
    if (result == WRING_OK) {
        open_set(machine, true);
    } else {
        pending_free(machine);
    }
    return result;
}

wring_result wring_machine_message_begin(wring_machine *machine, wring_opcode opcode,
                                         wring_bytes payload) {
    uint32_t utf8 = WRING__UTF8_COMPLETE;
    wring_result result = wring__machine_send_check(machine);
    if (result == WRING_OK && opcode != WRING_TEXT && opcode != WRING_BINARY) {
        result = WRING_ERR_INVALID_ARGUMENT;
    }
    if (result == WRING_OK && machine->message_open) {
        result = WRING_ERR_MESSAGE_OPEN;
    }
    if (result == WRING_OK) {
        result = piece_check(machine, (uint8_t)opcode, payload, &utf8);
    }
    if (result == WRING_OK) {
        result = open_begin(machine, opcode, payload, utf8);
    }
    if (result == WRING_OK) {
        wring__count(&machine->common->counts->tx, 1);
    }
    return result;
}

/* The next piece of the message that is open. */
static wring_result open_send(wring_machine *machine, wring_bytes payload, bool is_last) {
    wring_result result = wring__machine_send_check(machine);
    if (result == WRING_OK && !machine->message_open) {
        result = WRING_ERR_INVALID_STATE;
    }
    if (result != WRING_OK) {
        return result;
    }
    struct wring__pending *tx = pending_of(machine);
    uint32_t utf8 = tx->utf8;
    result = piece_check(machine, tx->opcode, payload, &utf8);
    if (result == WRING_OK && is_last && utf8 != WRING__UTF8_COMPLETE) {
        result = WRING_ERR_INVALID_UTF8;
    }
    if (result == WRING_OK) {
        result = piece_send(machine, tx, payload, is_last);
    }
    tx->utf8 = result == WRING_OK ? utf8 : tx->utf8;
    return result;
}

wring_result wring_machine_message_continue(wring_machine *machine, wring_bytes payload) {
    return open_send(machine, payload, false);
}

wring_result wring_machine_message_end(wring_machine *machine, wring_bytes payload) {
    const wring_result result = open_send(machine, payload, true);
    if (result != WRING_OK) {
        return result;
    }
    struct wring__pending *tx = pending_of(machine);
    open_set(machine, false);
    head_begin(tx);
    pending_free_when_empty(machine, tx);
    wring__machine_pending_go_on(machine);
    return WRING_OK;
}
