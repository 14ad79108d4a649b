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
#include "proto/machine.h"
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
    wring__machine_frame_shared(message);
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

static wring_result hand_to(wring__server_worker *worker, uint32_t kind, wring__shared *message) {
    if (kind == WRING__MAIL_PUBLISH && is_here(worker)) {
        wring__deliver(worker, message);
        return WRING_OK;
    }
    wring__mail mail = {.kind = kind,
                        .ref = wring__ref_pack(atomic_load(&worker->address), 0, 0),
                        .data = wring__shared_ref(message)};
    wring_result result = wring__registry_post_to(worker->server, &mail);
    if (result != WRING_OK) {
        wring__shared_unref(message);
    }
    return result == WRING_ERR_CLOSED ? WRING_OK : result; /* its subscribers are gone */
}

static void mailbox_full_tell(wring_server *server, const wring__shared *message) {
    wring__log_entry entry;
    wring_bytes topic;
    if (wring__log_begin(&entry, &server->log, WRING__LOG_MAILBOX_FULL)) {
        (void)wring__publication_of(message, &topic);
        wring__log_bytes(&entry, "topic", topic);
        wring__log_write(&entry, "the mailbox of a worker is full: its subscribers miss a "
                                 "publication (mailbox_items)");
    }
}

static wring_result hand_out(wring_server *server, uint64_t hash, uint32_t kind,
                             wring__shared *message) {
    WRING_TRACE_STOP();
    wring_result result = WRING_OK;
    for (uint32_t word = 0; word < server->presence.words; word++) {
        uint64_t bits = wring__presence_word(&server->presence, hash, word);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t number = word * 64 + (uint32_t)__builtin_ctzll(bits);
            wring_result handed = hand_to(&server->workers[number], kind, message);
            result = handed == WRING_OK ? result : handed;
        }
    }
    if (WRING_UNLIKELY(result == WRING_ERR_QUEUE_FULL)) {
        mailbox_full_tell(server, message);
    }
    return result;
}

static bool has_subscribers(const wring_server *server, uint64_t hash) {
    uint64_t any = 0;
    for (uint32_t word = 0; word < server->presence.words; word++) {
        any |= wring__presence_word(&server->presence, hash, word);
    }
    return any != 0;
}

static bool frame_is_publishable(const wring_frame *frame) {
    return (frame->opcode == WRING_TEXT || frame->opcode == WRING_BINARY) &&
           frame->compress <= WRING_COMPRESS_ALWAYS &&
           (frame->payload.data != NULL || frame->payload.len == 0);
}

/* The rule of the topic holds here too: a publisher learns of it before anybody listens. */
static wring_result publish_to_nobody(wring_server *server, wring_bytes topic, size_t len) {
    if (!is_up(server)) {
        return WRING_ERR_CLOSED;
    }
    return wring__settings_take_publication(server, topic, len) ? WRING_OK
                                                                : WRING_ERR_MESSAGE_TOO_BIG;
}

static wring_result publish(wring_server *server, wring_bytes topic, const wring_frame *frame,
                            wring__publication about) {
    if (!wring__topic_is_legal(topic) || !frame_is_publishable(frame)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    about.topic_len = topic.len;
    about.hash = wring__hash(server->presence.seed, topic);
    if (!has_subscribers(server, about.hash)) {
        return publish_to_nobody(server, topic, frame->payload.len);
    }
    wring__publish_rule rule;
    wring__settings_judge(server, topic, &rule);
    if (frame->payload.len > rule.message_bytes_max) {
        return WRING_ERR_MESSAGE_TOO_BIG;
    }
    wring__shared *message =
        wring__publication_create(&about, topic, (uint8_t)frame->opcode, frame->payload);
    if (message == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    wring_frame judged = *frame;
    judged.compress = frame->compress == WRING_COMPRESS_DEFAULT ? rule.compress : frame->compress;
    wring__server_deflate_publication(server, message, &judged, &rule.deflate);
    wring_result result = hand_out(server, about.hash, WRING__MAIL_PUBLISH, message);
    wring__shared_unref(message);
    return result;
}

wring_result wring_server_publish(wring_server *server, wring_bytes topic,
                                  const wring_frame *frame) {
    return publish(server, topic, frame, (wring__publication){0});
}

wring_result wring_session_publish(wring_session *session, wring_bytes topic,
                                   const wring_frame *frame) {
    const wring__peer *peer = wring__peer_of(session);
    if (peer == NULL) {
        return WRING_ERR_INVALID_STATE;
    }
    return publish(wring__peer_worker(peer)->server, topic, frame,
                   (wring__publication){.except = wring__stream_ref(session)});
}

wring_result wring_server_publish_with(wring_server *server, wring_bytes topic,
                                       const wring_frame *frame,
                                       const wring_publish_options *options) {
    wring_publish_options o;
    wring__publication about = {0};
    if (options == NULL) {
        return wring_server_publish(server, topic, frame);
    }
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

uint32_t wring_server_topic_workers(const wring_server *server, wring_bytes topic) {
    const uint64_t hash = wring__hash(server->presence.seed, topic);
    uint32_t count = 0;
    for (uint32_t word = 0; word < server->presence.words; word++) {
        count +=
            (uint32_t)__builtin_popcountll(wring__presence_word(&server->presence, hash, word));
    }
    return count;
}

/* ---- all subscribers ------------------------------------------------------------------------- */

/* By the mailbox in every case: handlers' callbacks do not run within each other. */
static wring_result topic_tell(wring_server *server, wring_bytes topic, uint8_t opcode,
                               uint16_t code, wring_bytes reason) {
    if (!wring__topic_is_legal(topic) || (reason.data == NULL && reason.len > 0)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    const wring__publication about = {.hash = wring__hash(server->presence.seed, topic),
                                      .topic_len = topic.len};
    if (!has_subscribers(server, about.hash)) {
        return is_up(server) ? WRING_OK : WRING_ERR_CLOSED;
    }
    wring__shared *message = wring__publication_create(&about, topic, opcode, reason);
    if (message == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    message->close_code = code;
    const wring_result result = hand_out(server, about.hash, WRING__MAIL_TOPIC, message);
    wring__shared_unref(message);
    return result;
}

wring_result wring_server_close_topic(wring_server *server, wring_bytes topic, uint16_t code,
                                      wring_bytes reason) {
    return topic_tell(server, topic, WRING_CLOSE, code, reason);
}

wring_result wring_server_unsubscribe_topic(wring_server *server, wring_bytes topic) {
    return topic_tell(server, topic, 0, 0, wring_bytes_of(NULL, 0));
}
