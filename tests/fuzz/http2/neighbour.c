/* SPDX-License-Identifier: Apache-2.0
 *
 * A peer that behaves, on a connection of its own: whatever the other one does, it gets its echoes
 * and its page. See scene.h.
 */
#include <stdio.h>

#include "tests/fuzz/http2/scene.h"

#define MESSAGES 4
#define SESSION  1
#define PAGE     3

static wring_verdict on_in(wring_session *session, const wring_message *message) {
    if (message->opcode != WRING_TEXT) {
        return WRING_CONTINUE;
    }
    const wring_frame frame = wring_frame_text(message->payload);
    return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
}

const wring_handler neighbour_session = {
    .struct_size = sizeof neighbour_session, .name = "neighbour", .handle_in = on_in};

static void on_request(wring_exchange *exchange, const wring_request *request, void *opts) {
    const wring_answer answer = {.struct_size = sizeof answer, .body = wring_str("a page")};
    const wring_result result = wring_exchange_answer(exchange, &answer);
    (void)request;
    (void)opts;
    FUZZ_CHECK(result == WRING_OK || result == WRING_ERR_CLOSED);
}

const wring_http_handler neighbour_page = {
    .struct_size = sizeof neighbour_page, .name = "page", .request = on_request};

static void asks(fuzz_neighbour *mine, uint32_t stream, const char *method, const char *path,
                 const char *protocol) {
    h2_buffer block = {0};
    h2_write_request(&block, method, path, protocol);
    if (protocol != NULL) {
        h2_write_field(&block, "sec-websocket-version", wring_str("13"));
    }
    h2_write_headers(&mine->peer.unsent, stream, protocol == NULL ? H2_END_STREAM : 0,
                     h2_buffer_view(&block), 0);
    h2_buffer_free(&block);
}

void neighbour_begin(struct scene *scene) {
    fuzz_neighbour *mine = &scene->neighbour;
    peer_init(scene, &mine->peer);
    h2_buffer_add(&mine->peer.unsent, H2_PREFACE, sizeof H2_PREFACE - 1);
    h2_write_setting(&mine->peer.unsent, H2_INITIAL_WINDOW_SIZE, 1000);
    asks(mine, SESSION, "CONNECT", "/e", "websocket");
}

static void says(fuzz_neighbour *mine) {
    char text[16];
    h2_buffer frame = {0};
    (void)snprintf(text, sizeof text, "message %u", mine->said++);
    h2_write_message(&frame, 0x81, wring_str(text));
    h2_write_data(&mine->peer.unsent, SESSION, false, h2_buffer_view(&frame));
    h2_buffer_free(&frame);
}

static void hears(fuzz_neighbour *mine, const h2_judged_stream *session) {
    char text[16];
    const int len = snprintf(text, sizeof text, "message %u", mine->heard);
    const size_t at = mine->heard * (2 + (size_t)len); /* all are as long */
    if (session->data.len >= at + 2 + (size_t)len) {
        const uint8_t *frame = session->data.data + at;
        FUZZ_CHECK(frame[0] == 0x81 && frame[1] == len);
        FUZZ_CHECK(memcmp(frame + 2, text, (size_t)len) == 0);
        mine->heard++;
    }
}

static void page_look(fuzz_neighbour *mine) {
    const h2_judged_stream *page = h2_judge_stream(&mine->peer.judge, PAGE);
    if (page != NULL && page->ended && !mine->has_page) {
        FUZZ_CHECK(page->status == 200 && !page->reset);
        FUZZ_CHECK(wring_bytes_equal(h2_buffer_view(&page->data), wring_str("a page")));
        mine->has_page = true;
    }
}

bool neighbour_act(struct scene *scene) {
    fuzz_neighbour *mine = &scene->neighbour;
    const h2_judged_stream *session = h2_judge_stream(&mine->peer.judge, SESSION);
    const unsigned before = mine->said + mine->heard;
    if (mine->is_done || scene->draining || session == NULL || session->status != 200) {
        return false;
    }
    FUZZ_CHECK(!session->reset && mine->peer.judge.goaways == 0);
    if (mine->heard == mine->said && mine->said < MESSAGES) {
        says(mine);
        if (mine->said == 2) {
            h2_write_settings_ack(&mine->peer.unsent);
            asks(mine, PAGE, "GET", "/n", NULL);
        }
    } else if (mine->heard < mine->said) {
        hears(mine, session);
    }
    page_look(mine);
    mine->is_done = mine->heard == MESSAGES && mine->has_page;
    return before != mine->said + mine->heard;
}

void neighbour_end(struct scene *scene) {
    fuzz_neighbour *mine = &scene->neighbour;
    h2_buffer frame = {0};
    h2_write_message(&frame, 0x88, wring_bytes_of("\x03\xE8", 2));
    h2_write_data(&mine->peer.unsent, SESSION, true, h2_buffer_view(&frame));
    h2_buffer_free(&frame);
}
