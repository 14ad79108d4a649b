/* SPDX-License-Identifier: Apache-2.0
 *
 * One session of the load generator: dial, TLS, upgrade; then its bytes go to rx.c. It has no
 * session of proto/: a load tester must be far cheaper than what it measures. Of HTTP/2 it is a
 * stream, whose connection is trunk.c's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load/engine.h"
#include "client/refusal.h"
#include "core/mail.h"
#include "proto/crypto.h"
#include "wring/close.h"
#include "wring/deflate.h"

static load_link *link_of(wring__endpoint *end) {
    return WRING_CONTAINER_OF(end, load_link, conn.super);
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* Connect mode closes what has opened at once. So it still asks there how the server takes it: one
 * that ends the stream without a close frame has turned the connection away, or answers no close.
 */
static bool still_counts(const load_link *link) {
    return link->stage < LOAD_STAGE_CLOSE ||
           (link->stage == LOAD_STAGE_CLOSE && link->thread->run->config->mode == LOAD_CONNECT);
}

/* It ends while our close frame waits for the server's. RFC 6455 7.1.2 */
static void close_unanswered(load_link *link) {
    if (link->stage == LOAD_STAGE_CLOSE) {
        link->thread->unclosed++;
    }
}

void load_link_over(load_link *link, const char *text) {
    load_thread *thread = link->thread;
    const bool was_open = link->stage >= LOAD_STAGE_OPEN;
    if (still_counts(link)) {
        if (was_open) {
            atomic_fetch_add(&thread->dropped, 1);
            load_thread_error(thread, 1, text);
            thread->lost += link->echo.count;
        } else {
            load_thread_dial_failed(thread, text);
        }
    }
    if (link->stage < LOAD_STAGE_OPEN) {
        thread->dialling--;
    }
    close_unanswered(link);
    link->stage = LOAD_STAGE_OVER;
    load_thread_unlist(thread, link);
    load_thread_unopen(thread, link);
}

/* One that waits for its trunk has no stream that could be ended. */
static void end_by(load_link *link, void (*end)(wring__endpoint *end)) {
    if (link->end.ops == NULL) {
        load_trunk_forget(link);
    } else {
        end(&link->end);
    }
}

void load_link_fail(load_link *link, const char *text) {
    load_link_over(link, text);
    end_by(link, wring__end_shut);
}

void load_link_failf(load_link *link, const char *format, ...) {
    char text[352];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    load_link_fail(link, text);
}

bool load_link_awaits_close(const load_link *link, unsigned code) {
    if (link->stage != LOAD_STAGE_CLOSE) {
        return false;
    }
    /* What came in the turn that closed came before our close frame went out: that waits for the
     * turn's end. What comes later and has another code than ours is no answer either (5.5.1). */
    return link->thread->run->config->mode != LOAD_CONNECT ||
           (link->began != link->end.worker->now &&
            (code == WRING_CLOSE_NORMAL || code == WRING_CLOSE_NO_STATUS));
}

void load_link_expire(load_link *link) {
    char text[LOAD_REFUSAL_TEXT];
    if (link->refused != NULL) {
        load_link_over(link, load_refusal_end(link, text));
    } else if (link->stage < LOAD_STAGE_OPEN) {
        load_link_over(link, link->stage == LOAD_STAGE_DIAL ? "connect: no answer in time"
                                                            : "handshake: no answer in time");
    }
    load_thread_unlist(link->thread, link);
    end_by(link, wring__end_abort);
}

void load_link_abandon(load_link *link) {
    link->thread->dialling--;
    link->stage = LOAD_STAGE_OVER;
    load_thread_unlist(link->thread, link);
    end_by(link, wring__end_abort);
}

void load_link_close(load_link *link) {
    uint8_t code[2];
    wring__store_be16(code, WRING_CLOSE_NORMAL);
    load_thread_unopen(link->thread, link);
    link->stage = LOAD_STAGE_CLOSE;
    link->began = link->end.worker->now;
    load_thread_list(link->thread, link);
    if (load_tx_control(link, WRING_CLOSE, code, sizeof code) != WRING_OK) {
        wring__end_abort(&link->end);
    }
}

/* ---- the upgrade ----------------------------------------------------------------------------- */

static wring_result request_send(load_link *link) {
    const load_target *target = &link->thread->run->target;
    const char *request = target->requests[link->topic];
    const size_t len = target->request_lens[link->topic];
    link->key = malloc(WRING__KEY_TEXT);
    uint8_t *out = wring__outq_reserve(&link->end.out, &link->thread->worker.chunks, len);
    if (link->key == NULL || out == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    const wring_result result = wring__client_key(link->key);
    if (result == WRING_OK) {
        memcpy(out, request, len);
        memcpy(out + target->key_at[link->topic], link->key, WRING__KEY_TEXT - 1);
        wring__outq_commit(&link->end.out, len);
        wring__end_flush(&link->end);
    }
    return result;
}

static void link_connected(wring__endpoint *end) {
    wring__conn *conn = wring__end_conn(end);
    load_link *link = link_of(end);
    load_run *run = link->thread->run;
    wring_result result = WRING_OK;
    link->stage = LOAD_STAGE_UPGRADE;
    if (run->tls != NULL) {
        result =
            wring__conn_secure(conn, run->tls, run->target.host, NULL, wring_bytes_of(NULL, 0));
    }
    if (result == WRING_OK) {
        result = request_send(link);
    }
    if (result != WRING_OK) {
        load_link_failf(link, "handshake: %s", wring_result_text(result));
    }
}

/* @param head  as it came; of HTTP/2 empty
 * @param body  what came of it with the head */
static void refused(load_link *link, unsigned status, wring_headers headers, wring_bytes head,
                    wring_bytes body) {
    if (load_refusal_begin(link, status, headers, head)) {
        load_refusal_more(link, body.data, body.len);
    } else {
        load_link_failf(link, "handshake: HTTP status %u", status);
    }
}

static bool deflate_is_agreed(load_link *link, wring_headers headers) {
    static const wring_deflate_config wishes = {.struct_size = sizeof wishes};
    wring_deflate_config config = {.struct_size = sizeof config};
    wring_deflate_params params;
    bool accepted = false;
    wring_error error = {WRING_OK, 0, ""};
    if (wring_deflate_config_adopt(&wishes, &config, NULL) != WRING_OK) {
        return false;
    }
    config.server_max_window_bits = 15; /* nothing was said of it */
    const wring_result result =
        wring_deflate_response_parse(headers, &config, false, &params, &accepted, &error);
    if (result != WRING_OK) {
        load_link_failf(link, "handshake: %s", error.text);
    } else if (!accepted) {
        load_link_fail(link, "handshake: the server declined permessage-deflate");
    } else if (params.client_max_window_bits < 15) { /* RFC 7692 7.1.2.2 */
        load_link_fail(link, "handshake: the server limits a window it was not offered");
    } else {
        link->deflate = true;
    }
    return link->deflate;
}

static void upgraded(load_link *link) {
    load_thread_unlist(link->thread, link);
    link->thread->dialling--;
    link->stage = LOAD_STAGE_OPEN;
    load_thread_opened(link->thread, link);
}

static void response_done(load_link *link, const wring__http1 *parser, wring_mut_bytes data) {
    wring_header list[WRING__HTTP1_FIELDS_MAX];
    const wring_headers headers = wring__http1_headers(parser, data.data, list);
    const size_t head = parser->position;
    wring_bytes subprotocol;
    const wring_result result = wring_h1_response_validate(
        &link->thread->run->config->upgrade, link->key, parser->status, headers, &subprotocol);
    if (result == WRING_ERR_UNEXPECTED_STATUS) {
        refused(link, (unsigned)parser->status, headers, wring_bytes_of(data.data, head),
                wring_bytes_of(data.data + head, data.len - head));
        return;
    }
    if (result != WRING_OK) {
        load_link_failf(link, "handshake: %s", wring_result_text(result));
        return;
    }
    if (link->thread->run->config->deflate && !deflate_is_agreed(link, headers)) {
        return;
    }
    free(link->key);
    link->key = NULL;
    upgraded(link);
    load_rx_bytes(link, data.data + head, data.len - head);
}

void load_link_answered(load_link *link, int status, wring_headers headers) {
    const wring_bytes none = wring_str("");
    wring_bytes subprotocol;
    const wring_result result = wring_h2_response_validate(&link->thread->run->config->upgrade,
                                                           status, headers, &subprotocol);
    if (result == WRING_ERR_UNEXPECTED_STATUS) {
        refused(link, (unsigned)status, headers, none, none);
    } else if (result != WRING_OK) {
        load_link_failf(link, "handshake: %s", wring_result_text(result));
    } else if (!link->thread->run->config->deflate || deflate_is_agreed(link, headers)) {
        load_trunk_carries(link->trunk);
        upgraded(link);
    }
}

/* One head. True after an interim answer that more bytes follow: `bytes` are then what follows. If
 * they lie in a head that was collected from pieces, `kept` is that head, and is the caller's. */
static bool head_rx(load_link *link, wring_mut_bytes *bytes, wring__head **kept) {
    wring__http1 scratch;
    wring__http1 *parser = &scratch;
    wring_mut_bytes data;
    if (link->head == NULL) {
        wring__http1_init(&scratch, WRING__HTTP1_RESPONSE, LOAD_RESPONSE_MAX, UINT16_MAX);
    }
    const wring_result result = wring__head_feed(&link->head, &scratch, *bytes, &parser, &data);
    if (result == WRING_MORE) {
        return false;
    }
    if (result == WRING_OK && wring__http1_is_interim(parser)) {
        if (++link->interim_count > WRING__INTERIM_MAX) {
            load_link_failf(link, "handshake: more than %u interim answers (HTTP status %u)",
                            WRING__INTERIM_MAX, parser->status);
            wring__head_free(&link->head);
            return false;
        }
        bytes->data = data.data + parser->position;
        bytes->len = data.len - parser->position;
        if (link->head != NULL) {
            *kept = link->head;
            link->head = NULL;
        }
        return bytes->len > 0;
    }
    if (result == WRING_OK) {
        response_done(link, parser, data);
    } else {
        load_link_failf(link, "handshake: %s", wring_result_text(result));
    }
    wring__head_free(&link->head);
    return false;
}

static void upgrade_rx(load_link *link, wring_mut_bytes bytes) {
    wring__head *kept = NULL; /* set at most once: what follows is parsed where it lies */
    if (link->refused != NULL) {
        load_refusal_more(link, bytes.data, bytes.len);
        return;
    }
    while (head_rx(link, &bytes, &kept)) {
    }
    wring__head_free(&kept);
}

/* ---- the pump's callbacks -------------------------------------------------------------------- */

static void link_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    (void)block; /* nothing of them is kept */
    load_link *link = link_of(end);
    if (link->stage >= LOAD_STAGE_OPEN) {
        load_rx_bytes(link, bytes.data, bytes.len);
    } else {
        upgrade_rx(link, bytes);
    }
}

static const char *eof_text(const load_link *link) {
    return link->stage >= LOAD_STAGE_OPEN ? "lost: the stream ended without a close handshake"
           : link->trunk != NULL          ? "handshake: the server ended the stream"
                                          : "handshake: the server closed the connection";
}

static void link_eof(wring__endpoint *end) {
    load_link *link = link_of(end);
    char text[LOAD_REFUSAL_TEXT];
    if (link->refused != NULL) {
        load_link_over(link, load_refusal_end(link, text));
    } else if (still_counts(link)) {
        load_link_over(link, eof_text(link));
    }
    load_thread_unlist(link->thread, link);
    wring__end_shut(end);
}

/* Why a stream of HTTP/2 ended: it was reset, or its connection ended. False: there is more to say
 * of that than is known here. */
static bool stream_why(const load_link *link, wring_result reason, char *why, size_t cap) {
    char text[LOAD_GOING_TEXT];
    const bool is_reset = reason == WRING_ERR_STREAM_REFUSED || reason == WRING_ERR_STREAM_RESET;
    if (is_reset) {
        (void)snprintf(why, cap, "the server %s the stream (%s)%s",
                       reason == WRING_ERR_STREAM_REFUSED ? "refused" : "reset",
                       load_trunk_code_name(link->mux.code, text),
                       load_trunk_is_going(link->trunk) ? " after GOAWAY" : "");
    } else if (load_trunk_is_going(link->trunk)) {
        (void)snprintf(why, cap, "%s and ended the connection",
                       load_trunk_going_why(link->trunk, text));
    } else if (reason == WRING_ERR_TRUNCATED) {
        (void)snprintf(why, cap, "the server closed the connection");
    } else {
        return false;
    }
    return true;
}

void load_link_why(const wring__endpoint *end, wring_result reason, char *why, size_t cap) {
    why[0] = 0;
    if (wring__end_tls(end) != NULL) {
        (void)wring__tls_reason(wring__end_tls(end), why, cap);
    }
    if (why[0] == 0) {
        (void)snprintf(why, cap, "%s",
                       wring__end_errno(end) == 0 ? wring_result_text(reason)
                                                  : strerror(wring__end_errno(end)));
    }
}

static void link_failed(wring__endpoint *end, wring_result reason) {
    load_link *link = link_of(end);
    static const char *const stages[] = {[LOAD_STAGE_DIAL] = "connect",
                                         [LOAD_STAGE_UPGRADE] = "handshake",
                                         [LOAD_STAGE_OPEN] = "lost",
                                         [LOAD_STAGE_CLOSE] = "close",
                                         [LOAD_STAGE_OVER] = "close"};
    char why[320];
    char text[352];
    if (link->trunk == NULL || !stream_why(link, reason, why, sizeof why)) {
        load_link_why(end, reason, why, sizeof why);
    }
    if (link->refused != NULL) {
        load_link_over(link, load_refusal_end(link, text));
        return;
    }
    (void)snprintf(text, sizeof text, "%s: %s", stages[link->stage], why);
    load_link_over(link, text);
}

static void link_timer(wring__endpoint *end) {
    (void)end; /* none is set: see load_thread_list */
}

static void link_mail(wring__endpoint *end, const wring__mail *mail) {
    (void)end; /* nobody knows its ref */
    wring__mail_lost(mail);
}

void load_link_free(load_link *link) {
    load_thread *thread = link->thread;
    close_unanswered(link);
    load_thread_unlist(thread, link);
    load_thread_unopen(thread, link);
    thread->links[link->number / thread->run->thread_count] = NULL;
    thread->link_count--;
    if (link->trunk != NULL) {
        load_trunk_left(link->trunk);
    }
    wring__head_free(&link->head);
    load_rx_free(&link->rx);
    free(link->tracks);
    free(link->key);
    free(link->refused);
    free(link);
}

static void link_closed(wring__endpoint *end) {
    load_link_free(link_of(end));
}

const wring__end_ops load_link_ops = {
    .name = "load link",
    .connected = link_connected,
    .rx = link_rx,
    .eof = link_eof,
    .failed = link_failed,
    .timer = link_timer,
    .mail = link_mail,
    .closed = link_closed,
};

/* ---- dialling -------------------------------------------------------------------------------- */

static void role_choose(load_link *link) {
    const load_config *config = link->thread->run->config;
    const uint32_t number = link->number;
    link->topic = number % link->thread->run->target.topics;
    switch (config->mode) {
    case LOAD_ECHO:
        link->role = LOAD_ROLE_ECHO;
        break;
    case LOAD_FANOUT:
        link->role = number < config->publishers ? LOAD_ROLE_PUBLISHER : LOAD_ROLE_SUBSCRIBER;
        link->publisher = number;
        if (link->role == LOAD_ROLE_SUBSCRIBER) {
            link->topic = (number - config->publishers) % config->topics;
        }
        break;
    case LOAD_CONNECT:
    case LOAD_IDLE:
        link->role = LOAD_ROLE_IDLE;
        break;
    }
}

wring__dial_config load_link_dial_config(load_thread *thread) {
    const load_target *target = &thread->run->target;
    wring__dial_config config = {.address = &target->address.any,
                                 .address_len = target->address.len};
    if (target->source_count > 0) {
        const load_address *source = &target->sources[thread->next_source++ % target->source_count];
        config.source = &source->any;
        config.source_len = source->len;
    }
    return config;
}

static wring_result connect_it(load_thread *thread, load_link *link) {
    const wring__dial_config config = load_link_dial_config(thread);
    return wring__conn_connect(&link->conn, &thread->worker, &load_link_ops, &config);
}

wring_result load_link_dial(load_thread *thread, uint32_t number) {
    load_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return WRING_ERR_NO_MEMORY;
    }
    link->thread = thread;
    link->number = number;
    role_choose(link);
    const wring_result result =
        thread->run->config->http2 ? load_trunk_join(thread, link) : connect_it(thread, link);
    if (result != WRING_OK) {
        free(link);
        return result;
    }
    link->began = thread->worker.backend->ops->now(thread->worker.backend);
    link->due = thread->dial_due == 0 ? link->began : thread->dial_due;
    thread->links[number / thread->run->thread_count] = link;
    thread->link_count++;
    thread->dialling++;
    load_thread_list(thread, link);
    if (link->trunk != NULL) {
        load_trunk_serve(link->trunk);
    }
    return WRING_OK;
}
