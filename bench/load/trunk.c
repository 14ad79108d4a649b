/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection of HTTP/2 of the load generator: dial, TLS, the server's settings; then a stream
 * for each session that waits for one. See trunk.h. What happens on a stream is link.c's.
 */
#include "bench/load/trunk.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/load/engine.h"

struct load_trunk {
    wring__stream below; /* first: the carrier's callbacks get this address */
    load_thread *thread;
    load_trunk *next; /* in the thread's list */
    load_trunk **at;
    load_link *waiting; /* have no stream yet, in their order */
    load_link **waiting_end;
    uint32_t joined;      /* sessions so far */
    uint32_t links;       /* that are not gone, waiting or with a stream */
    uint32_t streams_max; /* that the server takes at a time */
    uint8_t stage;        /* of those that wait */
    bool is_taken;        /* by the carrier */
    bool is_ready;        /* the server's settings came */
    bool is_going;        /* the server takes no new streams: */
    uint32_t goaway_code; /* ... its reason */
    bool is_over;
    bool is_counted; /* it carried a session */
};

static load_trunk *trunk_of(wring__stream *below) {
    return WRING_CONTAINER_OF(below, load_trunk, below);
}

static load_trunk *trunk_of_end(wring__endpoint *end) {
    return trunk_of(wring__stream_of_end(end));
}

bool load_trunk_is_going(const load_trunk *trunk) {
    return trunk->is_going;
}

const char *load_trunk_code_name(uint32_t code, char text[LOAD_CODE_TEXT]) {
    static const char *const names[] = {"NO_ERROR",
                                        "PROTOCOL_ERROR",
                                        "INTERNAL_ERROR",
                                        "FLOW_CONTROL_ERROR",
                                        "SETTINGS_TIMEOUT",
                                        "STREAM_CLOSED",
                                        "FRAME_SIZE_ERROR",
                                        "REFUSED_STREAM",
                                        "CANCEL",
                                        "COMPRESSION_ERROR",
                                        "CONNECT_ERROR",
                                        "ENHANCE_YOUR_CALM",
                                        "INADEQUATE_SECURITY",
                                        "HTTP_1_1_REQUIRED"};
    if (code < WRING_ARRAY_LEN(names)) {
        return names[code];
    }
    (void)snprintf(text, LOAD_CODE_TEXT, "code %u", code);
    return text;
}

const char *load_trunk_going_why(const load_trunk *trunk, char text[LOAD_GOING_TEXT]) {
    char name[LOAD_CODE_TEXT];
    (void)snprintf(text, LOAD_GOING_TEXT, "the server sent GOAWAY (%s)",
                   load_trunk_code_name(trunk->goaway_code, name));
    return text;
}

/* ---- its end --------------------------------------------------------------------------------- */

/* No further session joins it. */
static void leave(load_trunk *trunk) {
    if (trunk->thread->trunk == trunk) {
        trunk->thread->trunk = NULL;
    }
}

/* Nobody needs it any more. */
static void trunk_end(load_trunk *trunk) {
    wring__endpoint *end = &trunk->below.end;
    leave(trunk);
    if (trunk->is_over) {
        return;
    }
    if (trunk->is_ready && end->state == WRING__END_OPEN) {
        wring__h2_drain(&trunk->below);
    } else if (end->state <= WRING__END_OPEN) {
        wring__end_abort(end);
    }
}

/* Its last session is gone, and no other is to come. */
static void end_when_done(load_trunk *trunk) {
    const bool is_done = trunk->thread->trunk != trunk || trunk->thread->phase == LOAD_CLOSING;
    if (trunk->links == 0 && is_done) {
        trunk_end(trunk);
    }
}

void load_trunk_close_idle(load_thread *thread) {
    for (load_trunk *trunk = thread->trunks; trunk != NULL; trunk = trunk->next) {
        if (trunk->links == 0) {
            trunk_end(trunk);
        }
    }
}

static void waiting_fail(load_trunk *trunk, const char *text) {
    leave(trunk);
    while (trunk->waiting != NULL) {
        load_link_fail(trunk->waiting, text);
    }
}

void load_trunk_left(load_trunk *trunk) {
    trunk->links--;
}

/* One that has waited too long, most likely: who comes later dials anew. */
void load_trunk_forget(load_link *link) {
    load_trunk *trunk = link->trunk;
    load_link **at = &trunk->waiting;
    while (*at != NULL && *at != link) {
        at = &(*at)->waiting_next;
    }
    if (*at != NULL) {
        *at = link->waiting_next;
        trunk->waiting_end = *at == NULL ? at : trunk->waiting_end;
    }
    if (!trunk->is_ready) {
        leave(trunk);
    }
    load_link_free(link);
    end_when_done(trunk);
}

static void trunk_free(load_trunk *trunk) {
    WRING_ASSERT(trunk->links == 0);
    leave(trunk);
    *trunk->at = trunk->next;
    if (trunk->next != NULL) {
        trunk->next->at = trunk->at;
    }
    free(trunk);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void stream_open(load_trunk *trunk, load_link *link) {
    load_thread *thread = trunk->thread;
    wring__endpoint *end = &link->end;
    WRING_UNINITIALIZED wring_header list[LOAD_FIELDS_MAX];
    if (wring__end_init(end, &thread->worker, &load_link_ops) != WRING_OK) {
        end->ops = NULL; /* it still waits */
        load_link_fail(link, "handshake: out of memory");
        return;
    }
    trunk->waiting = link->waiting_next;
    trunk->waiting_end = trunk->waiting == NULL ? &trunk->waiting : trunk->waiting_end;
    end->kind = WRING__END_MUX;
    end->state = WRING__END_OPEN;
    end->mux = trunk->below.carried;
    const wring_headers fields = load_fields_of(thread->run->target.fields, link->topic, list);
    const wring_result result = wring__h2_connect(&trunk->below, end, fields);
    if (result != WRING_OK) {
        load_link_over(link, "handshake: out of memory");
        wring__end_close(end);
    }
}

/* Why there is no stream for a session that waits. */
static const char *no_room(const load_trunk *trunk, char text[128]) {
    char why[LOAD_GOING_TEXT];
    if (trunk->is_going) {
        (void)snprintf(text, 128, "handshake: %s", load_trunk_going_why(trunk, why));
        return text;
    }
    (void)snprintf(text, 128, "handshake: the server takes %u streams on a connection at a time",
                   trunk->streams_max);
    return text;
}

void load_trunk_serve(load_trunk *trunk) {
    char text[128];
    while (trunk->is_ready && trunk->waiting != NULL) {
        if (wring__h2_room(&trunk->below) == 0) {
            waiting_fail(trunk, no_room(trunk, text));
            return;
        }
        stream_open(trunk, trunk->waiting);
    }
}

void load_trunk_carries(load_trunk *trunk) {
    if (!trunk->is_counted) {
        trunk->is_counted = true;
        atomic_fetch_add(&trunk->thread->carriers, 1);
    }
}

/* ---- the carrier's calls --------------------------------------------------------------------- */

/* With TLS it is HTTP/2 only where ALPN says so.   RFC: 9113 3.2 */
static bool alpn_refuses(const load_trunk *trunk, char text[128]) {
    const wring__tls *tls = wring__end_tls(&trunk->below.end);
    if (tls == NULL || !wring__tls_is_established(tls)) {
        return false;
    }
    const wring_bytes agreed = wring__tls_alpn(tls);
    (void)snprintf(text, 128, "handshake: no HTTP/2: the server chose %.*s by ALPN",
                   agreed.len == 0 ? 7 : (int)wring__min_size(agreed.len, 64),
                   agreed.len == 0 ? "nothing" : (const char *)agreed.data);
    return !wring_bytes_equal(agreed, wring_str("h2"));
}

static void role_ready(wring__stream *below) {
    load_trunk *trunk = trunk_of(below);
    char text[128];
    const bool is_first = !trunk->is_ready;
    trunk->is_ready = true;
    if (is_first) {
        trunk->streams_max = wring__h2_room(below);
    }
    if (alpn_refuses(trunk, text)) {
        waiting_fail(trunk, text);
    } else if (!wring__h2_has_websockets(below)) {
        waiting_fail(trunk, "handshake: the server takes no WebSockets over HTTP/2 (its settings "
                            "have no ENABLE_CONNECT_PROTOCOL)");
    } else {
        load_trunk_serve(trunk);
    }
}

static void role_answered(wring__endpoint *end, int status, wring_headers fields) {
    load_link_answered(WRING_CONTAINER_OF(end, load_link, end), status, fields);
}

static void role_going(wring__stream *below) {
    load_trunk *trunk = trunk_of(below);
    char text[128];
    trunk->is_going = true;
    trunk->goaway_code = wring__h2_goaway_code(below);
    waiting_fail(trunk, no_room(trunk, text));
}

static void role_idle(wring__stream *below) {
    end_when_done(trunk_of(below));
}

/* No errno and no reason of TLS: the carrier gave up what it received. */
static void why_failed(load_trunk *trunk, wring_result reason, char *text, size_t cap) {
    const char *stage = trunk->stage == LOAD_STAGE_DIAL ? "connect" : "handshake";
    char why[320];
    if (reason == WRING_OK) {
        (void)snprintf(text, cap, "handshake: the server closed the connection%s",
                       trunk->is_ready ? "" : " without settings of HTTP/2");
        return;
    }
    load_link_why(&trunk->below.end, reason, why, sizeof why);
    if (reason == WRING_ERR_TRANSPORT && wring__end_errno(&trunk->below.end) == 0 &&
        wring__end_tls(&trunk->below.end) == NULL) {
        (void)snprintf(why, sizeof why, "the server does not speak HTTP/2");
    }
    (void)snprintf(text, cap, "%s: %s", stage, why);
}

static void role_failed(wring__stream *below, wring_result reason) {
    load_trunk *trunk = trunk_of(below);
    char text[352] = "";
    trunk->is_over = true;
    if (trunk->waiting != NULL && !alpn_refuses(trunk, text)) {
        why_failed(trunk, reason, text, sizeof text);
    }
    waiting_fail(trunk, text);
}

static void role_closed(wring__stream *below) {
    trunk_free(trunk_of(below));
}

static const wring__h2_role role = {
    .is_client = true,
    .answered = role_answered,
    .ready = role_ready,
    .going = role_going,
    .idle = role_idle,
    .failed = role_failed,
    .closed = role_closed,
};

/* ---- until the carrier takes it -------------------------------------------------------------- */

/* What is queued now goes out when the handshake of TLS is done. The server may wait for it. */
static void trunk_connected(wring__endpoint *end) {
    load_trunk *trunk = trunk_of_end(end);
    load_run *run = trunk->thread->run;
    const wring__h2_options options = {.role = &role,
                                       .config = &run->http2,
                                       .counters = &trunk->thread->http2,
                                       .head_bytes_max = LOAD_RESPONSE_MAX};
    wring_result result = WRING_OK;
    trunk->stage = LOAD_STAGE_UPGRADE;
    for (load_link *link = trunk->waiting; link != NULL; link = link->waiting_next) {
        link->stage = trunk->stage;
    }
    if (run->tls != NULL) {
        result = wring__conn_secure(&trunk->below.conn, run->tls, run->target.host, NULL,
                                    wring_bytes_of(NULL, 0));
    }
    if (result == WRING_OK) {
        result = wring__h2_take(&trunk->below, &options);
    }
    if (result != WRING_OK) {
        char text[128];
        (void)snprintf(text, sizeof text, "handshake: %s", wring_result_text(result));
        waiting_fail(trunk, text);
    }
}

static void trunk_failed(wring__endpoint *end, wring_result reason) {
    role_failed(wring__stream_of_end(end), reason);
}

static void trunk_closed(wring__endpoint *end) {
    trunk_free(trunk_of_end(end));
}

static void trunk_never(wring__endpoint *end) {
    (void)end;
    WRING_UNREACHABLE();
}

static void trunk_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    (void)end; /* from `connected` on the carrier has it */
    (void)bytes;
    (void)block;
    WRING_UNREACHABLE();
}

static void trunk_mail(wring__endpoint *end, const wring__mail *mail) {
    (void)end; /* nobody knows its ref */
    wring__mail_lost(mail);
}

static const wring__end_ops trunk_ops = {
    .name = "load trunk",
    .connected = trunk_connected,
    .rx = trunk_rx,
    .eof = trunk_never,
    .failed = trunk_failed,
    .timer = trunk_never,
    .mail = trunk_mail,
    .closed = trunk_closed,
};

/* ---- dialling -------------------------------------------------------------------------------- */

static wring_result trunk_dial(load_thread *thread) {
    load_trunk *trunk = calloc(1, sizeof *trunk);
    if (trunk == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const wring__dial_config config = load_link_dial_config(thread);
    const wring_result result =
        wring__conn_connect(&trunk->below.conn, &thread->worker, &trunk_ops, &config);
    if (result != WRING_OK) {
        free(trunk);
        return result;
    }
    trunk->thread = thread;
    trunk->stage = LOAD_STAGE_DIAL;
    trunk->waiting_end = &trunk->waiting;
    trunk->next = thread->trunks;
    trunk->at = &thread->trunks;
    if (trunk->next != NULL) {
        trunk->next->at = &trunk->next;
    }
    thread->trunks = thread->trunk = trunk;
    return WRING_OK;
}

wring_result load_trunk_join(load_thread *thread, load_link *link) {
    const wring_result result = thread->trunk == NULL ? trunk_dial(thread) : WRING_OK;
    load_trunk *trunk = thread->trunk;
    if (result != WRING_OK) {
        return result;
    }
    link->trunk = trunk;
    link->stage = trunk->stage;
    *trunk->waiting_end = link;
    trunk->waiting_end = &link->waiting_next;
    trunk->links++;
    if (++trunk->joined >= thread->run->config->streams) {
        leave(trunk);
    }
    return WRING_OK;
}
