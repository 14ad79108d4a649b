/* SPDX-License-Identifier: Apache-2.0
 *
 * Mail for a session: frames of wring_ref_send, a close, a stop, an info. See stream.h.
 */
#include "core/mail.h"

#include "core/packed.h"
#include "io/worker.h"
#include "stream/stream.h"

static wring_result single_send(wring_machine *machine, wring__shared *shared) {
    if (machine->deflate != NULL) {
        const wring_frame frame = {(wring_opcode)shared->opcode, 0, shared->compress,
                                   wring_bytes_of(shared->payload, shared->payload_len)};
        return wring__machine_send_admitted(machine, &frame);
    }
    wring__count(&machine->common->counts->tx, shared->opcode <= WRING_BINARY);
    if (shared->header_len == 0) { /* we hold the only reference */
        wring__machine_frame_shared(shared);
    }
    return wring__machine_send_shared(machine, shared);
}

/* Whether it was admitted was asked of the list: it is sent together, so no mark cuts it short. */
static wring_result list_send(wring_machine *machine, const wring__shared *list, size_t *lost) {
    wring_result result = WRING_OK;
    wring_frame frame;
    size_t offset = 0;
    while (wring__packed_next(list, &offset, &frame)) {
        if (result == WRING_OK) {
            result = wring__machine_send_admitted(machine, &frame);
        }
        *lost += result != WRING_OK && frame.opcode != WRING_CLOSE;
    }
    return result;
}

static size_t mail_send(wring_session *session, wring__shared *shared) {
    size_t lost = 0;
    wring_result result = WRING_OK;
    if (shared->opcode == WRING__PACKED) {
        result = list_send(&session->machine, shared, &lost);
    } else {
        result = single_send(&session->machine, shared);
        lost = result != WRING_OK;
    }
    if (result != WRING_OK && result != WRING_ERR_CLOSED) {
        wring__session_fail(session, result); /* no memory, no random bytes for a mask */
    }
    return lost;
}

static bool mail_post(wring_session *session, const wring__shared *shared) {
    wring__posted posted;
    memcpy(&posted, shared->payload, sizeof posted);
    return wring__session_info(session, &posted.info);
}

/* False: nobody took it. */
static bool mail_take(wring_session *session, const wring__mail *mail, size_t *lost) {
    wring__shared *shared = mail->data;
    switch ((enum wring__mail_kind)mail->kind) {
    case WRING__MAIL_SEND:
        *lost = mail_send(session, shared);
        return true;
    case WRING__MAIL_CLOSE:
        wring__session_close(session, shared->close_code,
                             wring_bytes_of(shared->payload, shared->payload_len));
        return true;
    case WRING__MAIL_STOP:
        wring__session_stop(session);
        return true;
    case WRING__MAIL_POST:
        return mail_post(session, shared);
    case WRING__MAIL_SUBSCRIBE: /* a server's sessions have topics: it takes these itself */
    case WRING__MAIL_UNSUBSCRIBE:
    case WRING__MAIL_ANSWER: /* of exchanges */
    case WRING__MAIL_ACCEPT:
        return false;
    case WRING__MAIL_CALL: /* names no session */
    case WRING__MAIL_WORKER:
        break;
    }
    WRING_UNREACHABLE();
}

void wring__stream_mail(wring__stream *stream, const wring__mail *mail) {
    const bool started = wring__stream_is_started(stream);
    size_t lost = 0;
    if (!started || !mail_take(&stream->session, mail, &lost)) {
        lost = wring__mail_count(mail);
        wring__mail_lost(mail);
    } else if (mail->data != NULL) {
        wring__shared_unref(mail->data);
    }
    if (WRING_UNLIKELY(lost > 0)) {
        wring__count(&stream->end.worker->counters.lost_mail, lost);
    }
    if (started) {
        wring__stream_settle(stream);
    }
}
