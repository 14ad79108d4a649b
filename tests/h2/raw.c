/* SPDX-License-Identifier: Apache-2.0
 *
 * See raw.h.
 */
#include "tests/h2/raw.h"

void h2_judge_fail(const char *what, const char *file, int line) {
    sim_fail(what, file, line);
}

void raw_begin(raw_client *client, sim_run *run, const wring_http2_config *server,
               uint32_t window) {
    wring_http2_config adopted = {.struct_size = sizeof adopted};
    EXPECT(wring_http2_config_adopt(server, &adopted, NULL) == WRING_OK);
    *client = (raw_client){.run = run, .next = 1};
    client->judge.window = adopted.window_bytes;
    client->judge.window_all = adopted.connection_window_bytes;
    h2_judge_init(&client->judge);
    client->socket = wring__sim_dial(run->world, run->port);
    EXPECT(client->socket != WRING__SOCKET_NONE);
    h2_buffer_add(&client->unsent, H2_PREFACE, sizeof H2_PREFACE - 1);
    h2_write_setting(&client->unsent, H2_INITIAL_WINDOW_SIZE, window);
}

void raw_free(raw_client *client) {
    raw_close(client, false);
    h2_buffer_free(&client->unsent);
    h2_judge_free(&client->judge);
}

void raw_close(raw_client *client, bool reset) {
    if (!client->is_closed) {
        client->is_closed = true;
        wring__sim_peer_close(client->run->world, client->socket, reset);
    }
}

static void receive(raw_client *client) {
    uint8_t buffer[4096];
    const size_t len = wring__sim_peer_recv(client->run->world, client->socket, buffer,
                                            sizeof buffer, &client->end, &client->reset);
    h2_judge_says(&client->judge, wring_bytes_of(buffer, len));
    if (client->judge.had_settings && !client->has_agreed) {
        client->has_agreed = true;
        h2_write_settings_ack(&client->unsent);
    }
    if (client->end) {
        raw_close(client, false);
    }
}

void raw_step(raw_client *client, size_t most) {
    if (client->is_closed) {
        return;
    }
    const size_t len = wring__min_size(most, client->unsent.len);
    if (len > 0) {
        const wring_bytes bytes = wring_bytes_of(client->unsent.data, len);
        const size_t taken = wring__sim_peer_send(client->run->world, client->socket, bytes);
        h2_judge_peer_says(&client->judge, wring_bytes_of(bytes.data, taken));
        h2_buffer_drop(&client->unsent, taken);
    }
    if (!client->is_paused) {
        receive(client);
    }
}

/* ---- what it says ---------------------------------------------------------------------------- */

static uint32_t head_say(raw_client *client, h2_buffer *block, bool ends) {
    const uint32_t stream = client->next;
    client->next += 2;
    h2_write_headers(&client->unsent, stream, ends ? H2_END_STREAM : 0, h2_buffer_view(block), 0);
    h2_buffer_free(block);
    return stream;
}

uint32_t raw_ask(raw_client *client, const char *method, const char *path, bool ends) {
    h2_buffer block = {0};
    h2_write_request(&block, method, path, NULL);
    return head_say(client, &block, ends);
}

uint32_t raw_connect(raw_client *client, const char *path) {
    h2_buffer block = {0};
    h2_write_request(&block, "CONNECT", path, "websocket");
    h2_write_field(&block, "sec-websocket-version", wring_str("13"));
    return head_say(client, &block, false);
}

void raw_text(raw_client *client, uint32_t stream, const char *text) {
    h2_buffer frame = {0};
    h2_write_message(&frame, 0x81, wring_str(text));
    h2_write_data(&client->unsent, stream, false, h2_buffer_view(&frame));
    h2_buffer_free(&frame);
}

/* ---- what it is told ------------------------------------------------------------------------- */

const h2_judged_stream *raw_stream(const raw_client *client, uint32_t stream) {
    return h2_judge_stream(&client->judge, stream);
}

unsigned raw_status(const raw_client *client, uint32_t stream) {
    const h2_judged_stream *of = raw_stream(client, stream);
    return of == NULL ? 0 : of->status;
}

size_t raw_room(const raw_client *client, uint32_t stream) {
    const h2_judge *judge = &client->judge;
    const h2_judged_stream *of = raw_stream(client, stream);
    const int64_t all = 65535 + judge->peer_given - judge->peer_sent;
    const int64_t own =
        judge->window + (of == NULL ? 0 : of->peer_given) - (of == NULL ? 0 : of->peer_sent);
    const int64_t room = all < own ? all : own;
    return room < 0 || client->unsent.len > 0 ? 0 : (size_t)room;
}

bool raw_is_calmed(const raw_client *client) {
    return client->judge.goaways == 1 && client->judge.goaway_code == H2_ENHANCE_YOUR_CALM &&
           client->end && !client->reset;
}

void raw_settle(sim_run *run, raw_client *clients, size_t count) {
    for (int round = 0;; round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(run->world);
        sim_run_workers(run);
        for (size_t i = 0; i < count; i++) {
            raw_step(&clients[i], SIZE_MAX);
        }
        if (before == wring__sim_activity(run->world)) {
            return;
        }
    }
}

void raw_wait(sim_run *run, raw_client *clients, size_t count, wring_duration_ns time) {
    const wring_time_ns until = wring__sim_now(run->world) + time;
    for (;;) {
        raw_settle(run, clients, count);
        if (wring__sim_now(run->world) >= until) {
            return;
        }
        wring__sim_alarm(run->world, until);
        (void)wring__sim_advance(run->world);
    }
}
