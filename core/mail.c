/* SPDX-License-Identifier: Apache-2.0
 *
 * What mail carries, counted and given back. See mail.h.
 */
#include "core/mail.h"

#include "core/packed.h"

size_t wring__mail_count(const wring__mail *mail) {
    wring_frame close;
    switch (mail->kind) {
    case WRING__MAIL_SEND:
        return wring__packed_count(mail->data) - wring__packed_close(mail->data, &close);
    case WRING__MAIL_POST:
    case WRING__MAIL_SUBSCRIBE:
    case WRING__MAIL_ANSWER:
    case WRING__MAIL_ACCEPT:
        return 1;
    default:
        return 0;
    }
}

void wring__mail_lost(const wring__mail *mail) {
    if (mail->kind == WRING__MAIL_CALL) {
        wring__call *call = mail->data;
        call->lost(call);
        return;
    }
    wring__shared *shared = mail->data;
    if (mail->kind == WRING__MAIL_POST) {
        wring__posted posted;
        memcpy(&posted, shared->payload, sizeof posted);
        if (posted.lost != NULL) {
            posted.lost(&posted.info);
        }
    }
    if (mail->kind == WRING__MAIL_ACCEPT) {
        wring__given given;
        memcpy(&given, shared->payload, sizeof given);
        if (given.lost != NULL) {
            given.lost(given.data);
        }
    }
    if (shared != NULL) {
        wring__shared_unref(shared);
    }
}
