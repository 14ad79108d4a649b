/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges by name: the slot that a ref names, answers from any thread, and the mail they come by.
 * See exchange.h.
 */
#include "core/mail.h"
#include "core/ref.h"
#include "core/sized.h"
#include "io/registry.h"
#include "server/answer.h"
#include "server/http.h"
#include "server/server.h"
#include "server/tell.h"
#include "server/upgrade.h"

/* ---- the name -------------------------------------------------------------------------------- */

wring_result wring_exchange_ref(wring_exchange *exchange, wring_ref *out) {
    wring__worker *io = exchange->peer->stream.end.worker;
    wring__endpoint *name = &exchange->name;
    *out = WRING_REF_NONE;
    if (!exchange->is_live || exchange->is_aborted || exchange->answer >= WRING__ANSWER_WHOLE) {
        return WRING_ERR_INVALID_STATE;
    }
    if (name->worker == NULL) {
        const wring_result result = wring__end_init(name, io, &wring__exchange_name_ops);
        if (result != WRING_OK) {
            *name = (wring__endpoint){0};
            return result;
        }
        name->kind = WRING__END_NAME;
        name->state = WRING__END_OPEN;
    }
    *out = wring__ref_pack(io->index, name->slot, name->generation);
    return WRING_OK;
}

/* ---- packing --------------------------------------------------------------------------------- */

/* What an answer or an accept is sent as: a wring__given, then the record with its headers and
 * texts, all in one shared message. Its pointers point into it. */
struct packer {
    uint8_t *at;
};

static void *aligned(uint8_t *at) {
    return (void *)(((uintptr_t)at + 15) & ~(uintptr_t)15);
}

static size_t headers_bytes(wring_headers headers) {
    size_t bytes = headers.count * sizeof(wring_header);
    for (size_t i = 0; i < headers.count; i++) {
        bytes += headers.list[i].name.len + headers.list[i].value.len;
    }
    return bytes;
}

static void bytes_pack(struct packer *packer, wring_bytes *bytes) {
    if (bytes->len > 0) {
        memcpy(packer->at, bytes->data, bytes->len);
    }
    bytes->data = packer->at;
    packer->at += bytes->len;
}

/* The list first, which has to be aligned: it follows a record. */
static void headers_pack(struct packer *packer, wring_headers *headers) {
    wring_header *list = (wring_header *)(void *)packer->at;
    packer->at += headers->count * sizeof *list;
    for (size_t i = 0; i < headers->count; i++) {
        list[i] = headers->list[i];
        bytes_pack(packer, &list[i].name);
        bytes_pack(packer, &list[i].value);
    }
    headers->list = list;
}

static wring__shared *shared_make(const wring__given *given, size_t record, size_t bytes) {
    wring__shared *shared =
        wring__shared_create_room(0, 0, sizeof *given + 16 + record + 16 + bytes);
    if (shared != NULL) {
        memcpy(shared->payload, given, sizeof *given);
    }
    return shared;
}

static void *record_of(const wring__shared *shared) {
    return aligned((uint8_t *)(uintptr_t)shared->payload + sizeof(wring__given));
}

static wring__shared *answer_pack(const wring_answer *answer) {
    const wring__given nothing = {NULL, NULL};
    const size_t type = answer->content_type == NULL ? 0 : strlen(answer->content_type) + 1;
    wring__shared *shared = shared_make(&nothing, sizeof *answer,
                                        headers_bytes(answer->headers) + answer->body.len + type);
    if (shared == NULL) {
        return NULL;
    }
    wring_answer *packed = record_of(shared);
    struct packer packer = {aligned((uint8_t *)(packed + 1))};
    *packed = *answer;
    headers_pack(&packer, &packed->headers);
    bytes_pack(&packer, &packed->body);
    if (type > 0) {
        packed->content_type = memcpy(packer.at, answer->content_type, type);
    }
    return shared;
}

static wring__shared *accept_pack(const wring_accept *accept) {
    const wring__given given = {accept->data, accept->lost};
    wring__shared *shared = shared_make(&given, sizeof *accept,
                                        headers_bytes(accept->headers) + accept->subprotocol.len);
    if (shared == NULL) {
        return NULL;
    }
    wring_accept *packed = record_of(shared);
    struct packer packer = {aligned((uint8_t *)(packed + 1))};
    *packed = *accept;
    headers_pack(&packer, &packed->headers);
    bytes_pack(&packer, &packed->subprotocol);
    return shared;
}

/* ---- from any thread ------------------------------------------------------------------------- */

static wring_result post(wring_ref ref, enum wring__mail_kind kind, wring__shared *shared) {
    if (shared == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const wring__mail mail = {.kind = kind, .ref = ref, .data = shared};
    const wring_result result = wring__registry_post(&mail);
    if (result != WRING_OK) {
        wring__shared_unref(shared);
    }
    return result;
}

wring_result wring_ref_answer(wring_ref ref, const wring_answer *answer) {
    wring_answer adopted;
    const wring_result result = wring__answer_adopt(answer, &adopted);
    if (result != WRING_OK || ref == WRING_REF_NONE) {
        return result != WRING_OK ? result : WRING_ERR_CLOSED;
    }
    return post(ref, WRING__MAIL_ANSWER, answer_pack(&adopted));
}

wring_result wring_ref_accept(wring_ref ref, const wring_accept *accept) {
    wring_accept adopted;
    const wring_result result = wring__accept_adopt(accept, &adopted);
    if (result != WRING_OK || ref == WRING_REF_NONE) {
        return result != WRING_OK ? result : WRING_ERR_CLOSED;
    }
    return post(ref, WRING__MAIL_ACCEPT, accept_pack(&adopted));
}

/* ---- mail ------------------------------------------------------------------------------------ */

/* False: nobody took it. */
static bool mail_post(wring_exchange *exchange, const wring__shared *shared) {
    wring__posted posted;
    if (exchange->handler->info == NULL) {
        return false;
    }
    memcpy(&posted, shared->payload, sizeof posted);
    wring__exchange_info(exchange, &posted.info);
    return true;
}

/* What only shows here, such as a subprotocol that was not offered, is an answer all the same:
 * there may be nobody who would give another. */
static bool accept_take(wring_exchange *exchange, const wring_accept *accept) {
    const wring_result result = wring_exchange_accept(exchange, accept);
    if (result != WRING_OK && exchange->is_live && exchange->is_upgrade &&
        exchange->answer == WRING__ANSWER_NONE && !exchange->is_aborted) {
        wring__answer_missing(exchange, result, "its accept by ref was refused by the library");
    }
    return result == WRING_OK;
}

static bool mail_take(wring_exchange *exchange, const wring__mail *mail) {
    switch ((enum wring__mail_kind)mail->kind) {
    case WRING__MAIL_ANSWER:
        return wring_exchange_answer(exchange, record_of(mail->data)) == WRING_OK;
    case WRING__MAIL_ACCEPT:
        return accept_take(exchange, record_of(mail->data));
    case WRING__MAIL_POST:
        return mail_post(exchange, mail->data);
    case WRING__MAIL_STOP:
        wring_exchange_abort(exchange);
        return true;
    default: /* of sessions */
        return false;
    }
}

static void name_mail(wring__endpoint *name, const wring__mail *mail) {
    wring_exchange *exchange = WRING_CONTAINER_OF(name, wring_exchange, name);
    wring__peer *peer = exchange->peer;
    wring__peer_worker(peer)->current = NULL;
    if (mail_take(exchange, mail)) {
        if (mail->data != NULL) {
            wring__shared_unref(mail->data);
        }
    } else {
        wring__count(&name->worker->counters.lost_mail, wring__mail_count(mail));
        wring__mail_lost(mail);
    }
    wring__http_settle(peer); /* the exchange may be gone after it */
}

static void name_closed(wring__endpoint *name) {
    (void)name; /* its memory is the exchange's */
}

const wring__end_ops wring__exchange_name_ops = {
    .name = "exchange",
    .mail = name_mail,
    .closed = name_closed,
};
