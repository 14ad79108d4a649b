/* SPDX-License-Identifier: Apache-2.0
 *
 * Mail from any thread to a session: see wring/ref.h. Framing is done by the session's worker,
 * which knows the role; here the bytes are only copied.
 */
#include "wring/ref.h"

#include "core/packed.h"
#include "io/registry.h"
#include "wring/topic.h"

static wring_result post_shared(wring_ref ref, enum wring__mail_kind kind, wring__shared *shared) {
    wring__mail mail = {.kind = kind, .ref = ref, .data = shared};
    wring_result result = wring__registry_post(&mail);
    if (result != WRING_OK && shared != NULL) {
        wring__shared_unref(shared);
    }
    return result;
}

/* A length without a pointer is a slip of the caller's. */
static bool is_view(wring_bytes bytes) {
    return bytes.data != NULL || bytes.len == 0;
}

static bool frame_is_sendable(const wring_frame *frame) {
    if (!is_view(frame->payload)) {
        return false;
    }
    switch (frame->opcode) {
    case WRING_TEXT:
    case WRING_BINARY:
        return frame->compress <= WRING_COMPRESS_ALWAYS;
    case WRING_PING:
    case WRING_PONG:
        return frame->payload.len <= WRING_CONTROL_PAYLOAD_MAX;
    case WRING_CLOSE:
        return true;
    case WRING_CONTINUATION:
        break;
    }
    return false;
}

wring_result wring_ref_send(wring_ref ref, const wring_frame *frames, size_t count) {
    if (frames == NULL && count > 0) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < count; i++) {
        if (!frame_is_sendable(&frames[i])) {
            return WRING_ERR_INVALID_ARGUMENT;
        }
    }
    if (ref == WRING_REF_NONE || count == 0) {
        return ref == WRING_REF_NONE ? WRING_ERR_CLOSED : WRING_OK;
    }
    wring__shared *shared = count == 1 && frames[0].opcode != WRING_CLOSE
                                ? wring__shared_of_frame(&frames[0])
                                : wring__packed_create(frames, count);
    return shared == NULL ? WRING_ERR_NO_MEMORY : post_shared(ref, WRING__MAIL_SEND, shared);
}

wring_result wring_ref_close(wring_ref ref, uint16_t code, wring_bytes reason) {
    if (!is_view(reason)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring__shared *shared = wring__shared_create(WRING_CLOSE, code, reason);
    return shared == NULL ? WRING_ERR_NO_MEMORY : post_shared(ref, WRING__MAIL_CLOSE, shared);
}

wring_result wring_ref_stop(wring_ref ref) {
    return post_shared(ref, WRING__MAIL_STOP, NULL);
}

wring_result wring_ref_post(wring_ref ref, const wring_info *info,
                            void (*lost)(const wring_info *info)) {
    if (info == NULL) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring__posted posted = {*info, lost};
    wring__shared *shared = wring__shared_create(0, 0, wring_bytes_of(&posted, sizeof posted));
    return shared == NULL ? WRING_ERR_NO_MEMORY : post_shared(ref, WRING__MAIL_POST, shared);
}

static wring_result post_topic(wring_ref ref, enum wring__mail_kind kind, wring_bytes topic) {
    if (!is_view(topic) || topic.len == 0 || topic.len > WRING_TOPIC_MAX) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    wring__shared *shared = wring__shared_create(0, 0, topic);
    return shared == NULL ? WRING_ERR_NO_MEMORY : post_shared(ref, kind, shared);
}

wring_result wring_ref_subscribe(wring_ref ref, wring_bytes topic) {
    return post_topic(ref, WRING__MAIL_SUBSCRIBE, topic);
}

wring_result wring_ref_unsubscribe(wring_ref ref, wring_bytes topic) {
    return post_topic(ref, WRING__MAIL_UNSUBSCRIBE, topic);
}
