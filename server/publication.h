/* SPDX-License-Identifier: Apache-2.0
 *
 * A published message: a framed wring__shared with, behind its payload, what a worker needs to
 * deliver it. One block, made once, read by every worker.
 */
#ifndef WRING_SERVER_PUBLICATION_H
#define WRING_SERVER_PUBLICATION_H

#include "core/shared.h"
#include "wring/handler.h"

typedef struct wring__publication {
    uint64_t hash;    /* of the topic */
    uint64_t key;     /* keep_latest: a newer one replaces an older one that waits */
    wring_ref except; /* misses it; WRING_REF_NONE */
    uint64_t topic_len;
} wring__publication;

/** NULL when memory is out.  Cost: one allocation, one copy. */
wring__shared *wring__publication_create(const wring__publication *about, wring_bytes topic,
                                         uint8_t opcode, wring_bytes payload);

/** What it is about.  @param topic  borrows from the message */
static inline wring__publication wring__publication_of(const wring__shared *message,
                                                       wring_bytes *topic) {
    wring__publication about;
    const uint8_t *behind = message->payload + message->payload_len;
    memcpy(&about, behind, sizeof about); /* not aligned there */
    *topic = wring_bytes_of(behind + sizeof about, (size_t)about.topic_len);
    return about;
}

#endif
