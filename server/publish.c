/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishing, from any thread: frames the message once and hands it to each worker that has
 * subscribers.
 *
 * Order: a publish by one of the server's own workers to its own subscribers leaves out the
 * mailbox, which saves that worker a turn, when the mailbox is empty: then nothing that this thread
 * sent before can be overtaken.
 */
#include "server/publication.h"
#include "core/trace.h"

#include "core/hash.h"
#include "core/ref.h"
#include "core/sized.h"
#include "io/registry.h"
#include "proto/session.h"
#include "server/peer.h"
#include "server/server.h"

wring__shared *wring__publication_create(const wring__publication *about, wring_bytes topic,
                                         uint8_t opcode, wring_bytes payload) {
    wring__shared *message =
        wring__shared_create_room(opcode, 0, payload.len + sizeof *about + topic.len);
    if (message == NULL) {
        return NULL;
    }
    if (payload.len > 0) {
        memcpy(message->payload, payload.data, payload.len);
    }
    message->payload_len = payload.len;
    uint8_t *behind = message->payload + payload.len;
    memcpy(behind, about, sizeof *about);
    memcpy(behind + sizeof *about, topic.data, topic.len);
    wring__session_frame_shared(message);
    return message;
}

/* A worker that is not up yet or is ending has no number in the registry, and no one to deliver
 * to. */
static bool is_up(const wring_server *server) {
    for (uint32_t i = 0; i < server->config.workers; i++) {
        if (atomic_load(&server->workers[i].address) != 0) {
            return true;
        }
    }
    return false;
}

static bool is_here(const wring__server_worker *worker) {
    return wring__worker_current == &worker->io && wring__mailbox_is_empty(&worker->io.mailbox);
}

static wring_result hand_to(wring__server_worker *worker, wring__shared *message) {
    if (is_here(worker)) {
        wring__deliver(worker, message);
        return WRING_OK;
    }
    wring__mail mail = {.kind = WRING__MAIL_PUBLISH,
                        .ref = wring__ref_pack(atomic_load(&worker->address), 0, 0),
                        .data = wring__shared_ref(message)};
    wring_result result = wring__registry_post(&mail);
    if (result != WRING_OK) {
        wring__shared_unref(message);
    }
    return result == WRING_ERR_CLOSED ? WRING_OK : result; /* its subscribers are gone */
}

static wring_result hand_out(wring_server *server, uint64_t hash, wring__shared *message) {
    WRING_TRACE_STOP();
    wring_result result = WRING_OK;
    for (uint32_t word = 0; word < server->presence.words; word++) {
        uint64_t bits = wring__presence_word(&server->presence, hash, word);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(bits);
            wring_result handed = hand_to(&server->workers[number], message);
            result = handed == WRING_OK ? result : handed;
        }
    }
    return result;
}

static bool topic_is_legal(wring_bytes topic) {
    return topic.len > 0 && topic.len <= WRING_TOPIC_MAX;
}

static bool has_subscribers(const wring_server *server, uint64_t hash) {
    uint64_t any = 0;
    for (uint32_t word = 0; word < server->presence.words; word++) {
        any |= wring__presence_word(&server->presence, hash, word);
    }
    return any != 0;
}

static wring_result publish(wring_server *server, wring_bytes topic, const wring_frame *frame,
                            wring__publication about) {
    if (!topic_is_legal(topic) || (frame->opcode != WRING_TEXT && frame->opcode != WRING_BINARY)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    about.topic_len = topic.len;
    about.hash = wring__hash(server->presence.seed, topic);
    if (!has_subscribers(server, about.hash)) {
        return is_up(server) ? WRING_OK : WRING_ERR_CLOSED;
    }
    wring__shared *message =
        wring__publication_create(&about, topic, (uint8_t)frame->opcode, frame->payload);
    if (message == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    wring__server_deflate_publication(server, message, frame);
    wring_result result = hand_out(server, about.hash, message);
    wring__shared_unref(message);
    return result;
}

wring_result wring_publish(wring_server *server, wring_bytes topic, const wring_frame *frame) {
    return publish(server, topic, frame, (wring__publication){0});
}

wring_result wring_publish_from(wring_session *session, wring_bytes topic,
                                const wring_frame *frame) {
    const wring__peer *peer = wring__peer_of(session);
    if (peer == NULL) {
        return WRING_ERR_INVALID_STATE;
    }
    return publish(wring__peer_worker(peer)->server, topic, frame,
                   (wring__publication){.except = wring__stream_ref(session)});
}

wring_result wring_publish_with(wring_server *server, wring_bytes topic, const wring_frame *frame,
                                const wring_publish_options *options) {
    wring_publish_options o;
    wring__publication about = {0};
    if (wring__sized_adopt(&o, sizeof o, options, sizeof o.struct_size, "wring_publish_options",
                           NULL) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    if (o.from != NULL) {
        const wring__peer *peer = wring__peer_of(o.from);
        if (peer == NULL || wring__peer_worker(peer)->server != server) {
            return WRING_ERR_INVALID_STATE;
        }
        about.except = wring__stream_ref(o.from);
    }
    about.key = o.key;
    return publish(server, topic, frame, about);
}

uint32_t wring_topic_workers(const wring_server *server, wring_bytes topic) {
    const uint64_t hash = wring__hash(server->presence.seed, topic);
    uint32_t count = 0;
    for (uint32_t word = 0; word < server->presence.words; word++) {
        count +=
            (uint32_t)__builtin_popcountll(wring__presence_word(&server->presence, hash, word));
    }
    return count;
}
