/* SPDX-License-Identifier: Apache-2.0
 *
 * permessage-deflate of a server: negotiated at the upgrade, and the compressed forms of what is
 * published. See deflate.h.
 */
#include "server/deflate.h"

#include <stdlib.h>

#include "core/sized.h"
#include "server/peer.h"
#include "server/server.h"

#define WINDOW_OF_8 256

/* ---- the upgrade ----------------------------------------------------------------------------- */

/* Whose count in users[] a connection is: the window it is sent with; 8 for messages that need
 * none, 0 for one that is sent nothing compressed. */
static unsigned user_kind(const wring__deflate *deflate) {
    if (deflate->message_bytes_min == WRING_OFF) {
        return 0;
    }
    return deflate->tx_short_only ? 8 : deflate->tx.window_bits;
}

static void pool_destroy(void *pool) {
    wring_deflate_destroy(pool);
}

wring_result wring__server_deflate_attach(wring__server_worker *worker) {
    worker->io.attachment.data = wring__deflate_pool_create(&worker->deflate_stats);
    worker->io.attachment.destroy = pool_destroy;
    return worker->io.attachment.data == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
}

wring_bytes wring__server_deflate_agree(wring__peer *peer, const wring__policy *policy,
                                        wring_headers headers, char out[WRING_DEFLATE_TEXT_MAX]) {
    wring_server *server = wring__peer_worker(peer)->server;
    wring_deflate_params params;
    if (!policy->has_deflate || !wring_deflate_negotiate(headers, &policy->deflate, &params)) {
        return wring_bytes_of(NULL, 0);
    }
    wring_deflate *pool = wring__peer_worker(peer)->io.attachment.data;
    wring__deflate *deflate =
        wring__deflate_acquire(pool, &policy->deflate, &params, WRING_ROLE_SERVER, true);
    if (deflate == NULL) {
        return wring_bytes_of(NULL, 0); /* without memory for it, without it */
    }
    wring__machine_use_deflate(&peer->stream.session.machine, deflate);
    atomic_fetch_add_explicit(&server->deflate.users[user_kind(deflate)], 1, memory_order_relaxed);
    return wring_deflate_response(&params, out);
}

void wring__server_deflate_leave(wring__peer *peer) {
    const wring__deflate *deflate = peer->stream.session.machine.deflate;
    if (deflate != NULL) {
        wring_server *server =
            WRING_CONTAINER_OF(peer->stream.end.worker, wring__server_worker, io)->server;
        atomic_fetch_sub_explicit(&server->deflate.users[user_kind(deflate)], 1,
                                  memory_order_relaxed);
    }
}

/* ---- publishing ------------------------------------------------------------------------------ */

/* A compressor no other publisher has: the one kept, or a new one. */
static wring__compressor *compressor_take(wring__server_deflate *deflate,
                                          const wring_deflate_config *config, uint8_t bits) {
    wring__compressor *kept =
        atomic_exchange_explicit(&deflate->kept[bits], NULL, memory_order_acquire);
    wring__deflate_tuning tuning = {bits, config->level, config->mem_level,
                                    (uint8_t)config->strategy};
    if (kept != NULL) {
        const wring__deflate_tuning is = wring__compressor_tuning(kept);
        if (memcmp(&is, &tuning, sizeof is) == 0) {
            return kept;
        }
        wring__compressor_destroy(kept); /* of an older policy */
    }
    return wring__compressor_create(tuning);
}

/* Puts it back; of two publishers at the same time one finds the place taken. */
static void compressor_give(wring__server_deflate *deflate, uint8_t bits,
                            wring__compressor *compressor) {
    wring__compressor *none = NULL;
    wring__compressor_reset(compressor);
    if (!atomic_compare_exchange_strong_explicit(&deflate->kept[bits], &none, compressor,
                                                 memory_order_release, memory_order_relaxed)) {
        wring__compressor_destroy(compressor);
    }
}

/* The message made with a window of `bits`; NULL: not smaller, or no memory. */
static wring__shared *form_create(wring__server_deflate *deflate, const wring_frame *frame,
                                  const wring_deflate_config *config, uint8_t bits) {
    wring__compressor *compressor = compressor_take(deflate, config, bits);
    wring__shared *form = compressor == NULL
                              ? NULL
                              : wring__shared_create_room((uint8_t)frame->opcode, 0,
                                                          wring__deflate_bound(frame->payload.len));
    if (form == NULL) {
        wring__compressor_destroy(compressor);
        return NULL;
    }
    const size_t len = wring__compressor_run(compressor, frame->payload, form->payload);
    compressor_give(deflate, bits, compressor);
    atomic_fetch_add_explicit(&deflate->published, 1, memory_order_relaxed);
    if (len >= frame->payload.len && frame->compress != WRING_COMPRESS_ALWAYS) {
        wring__shared_unref(form);
        return NULL;
    }
    atomic_fetch_add_explicit(&deflate->published_before, frame->payload.len, memory_order_relaxed);
    atomic_fetch_add_explicit(&deflate->published_after, len, memory_order_relaxed);
    form->window_bits = bits;
    form = wring__shared_shrink(form, len);
    wring__machine_frame_shared(form);
    return form;
}

static bool has_users(const wring__server_deflate *deflate, unsigned kind) {
    return atomic_load_explicit(&deflate->users[kind], memory_order_relaxed) > 0;
}

void wring__server_deflate_publication(wring_server *server, wring__shared *message,
                                       const wring_frame *frame,
                                       const wring_deflate_config *config) {
    wring__server_deflate *deflate = &server->deflate;
    wring__shared **link = &message->compressed;
    if (config->struct_size == 0 ||
        !wring__deflate_is_worth(frame->payload, config->message_bytes_min, frame->compress)) {
        return;
    }
    for (uint8_t bits = 15; bits >= 9; bits--) {
        /* Who has a window of 8 takes any form of a short message; nine is made if there is none */
        const bool for_short = bits == 9 && message->compressed == NULL && has_users(deflate, 8) &&
                               frame->payload.len <= WINDOW_OF_8;
        if (has_users(deflate, bits) || for_short) {
            *link = form_create(deflate, frame, config, bits);
            if (*link == NULL) {
                return; /* a smaller window would not do better */
            }
            link = &(*link)->compressed;
        }
    }
}

/* ---- life, figures --------------------------------------------------------------------------- */

void wring__server_deflate_changed(wring_server *server) {
    for (unsigned bits = 0; bits < WRING_ARRAY_LEN(server->deflate.kept); bits++) {
        wring__compressor_destroy(atomic_exchange(&server->deflate.kept[bits], NULL));
    }
}

wring_result wring__server_deflate_stats(const wring_server *server, wring_server_stats *out) {
    const wring__server_deflate *deflate = &server->deflate;
    wring_deflate_stats all = {.struct_size = sizeof all};
    wring_deflate_stats *sum = &all;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        wring__deflate_stats_add(&server->workers[i].deflate_stats, sum);
    }
    sum->context_bytes = wring__deflate_budget_used();
    for (unsigned kind = 0; kind < WRING_ARRAY_LEN(deflate->users); kind++) {
        out->deflate_connections += atomic_load(&deflate->users[kind]);
    }
    out->deflate_published = atomic_load(&deflate->published);
    out->deflate_published_bytes_before = atomic_load(&deflate->published_before);
    out->deflate_published_bytes_after = atomic_load(&deflate->published_after);
    return out->deflate == NULL ? WRING_OK : wring__sized_give(out->deflate, &all, sizeof all);
}
