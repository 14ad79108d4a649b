/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server says. See scene.h.
 */
#include <stdlib.h>

#include "tests/fuzz/http2_client/scene.h"

void h2_judge_fail(const char *what, const char *file, int line) {
    fuzz_fail(what, file, line);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void greet(const struct scene *scene, server *of) {
    static const uint32_t windows[] = {65535, 0, 1, 100};
    if ((scene->flags & FLAG_RAW) == 0) {
        h2_write_setting(&of->unsent, H2_ENABLE_CONNECT_PROTOCOL,
                         (scene->flags & FLAG_NONE) == 0 ? 1 : 0);
        h2_write_setting(&of->unsent, H2_INITIAL_WINDOW_SIZE, windows[scene->seed >> 4 & 3]);
        if ((scene->flags & FLAG_FEW) != 0) {
            h2_write_setting(&of->unsent, H2_MAX_CONCURRENT_STREAMS, 1);
        }
    }
}

bool servers_accept(struct scene *scene) {
    const wring__socket socket = wring__sim_peer_accept(scene->world, scene->listener);
    if (socket == WRING__SOCKET_NONE) {
        return false;
    }
    if (scene->server_count == SERVERS_MAX) {
        wring__sim_peer_close(scene->world, socket, true);
        return true;
    }
    server *of = &scene->servers[scene->server_count++];
    of->socket = socket;
    of->reads = true;
    of->judge.is_client = true;
    of->judge.window = scene->http2.window_bytes;
    of->judge.window_all = scene->http2.connection_window_bytes;
    h2_judge_init(&of->judge);
    greet(scene, of);
    return true;
}

static void transmit(const struct scene *scene, server *of) {
    static const size_t pieces[] = {1, 7, 40, 300};
    size_t len = of->unsent.len;
    if (of->gone || of->shut || len == 0) {
        return;
    }
    if ((scene->flags & FLAG_TRICKLE) != 0) {
        len = wring__min_size(len, pieces[scene->seed >> 2 & 3]);
    }
    const wring_bytes bytes = wring_bytes_of(of->unsent.data, len);
    const size_t taken = wring__sim_peer_send(scene->world, of->socket, bytes);
    if (taken > 0) {
        h2_judge_peer_says(&of->judge, wring_bytes_of(bytes.data, taken));
        h2_buffer_drop(&of->unsent, taken);
    }
}

static void receive(const struct scene *scene, server *of) {
    uint8_t buffer[4096];
    bool reset = false;
    if (of->gone || !of->reads || of->end) {
        return;
    }
    const size_t len =
        wring__sim_peer_recv(scene->world, of->socket, buffer, sizeof buffer, &of->end, &reset);
    of->cut |= reset;
    if (len > 0) {
        h2_judge_says(&of->judge, wring_bytes_of(buffer, len));
    }
}

static void answer_say(server *of, uint32_t stream, unsigned flavour) {
    static const char *const statuses[] = {"200", "200", "404", "100", "503", "101", "20", "200"};
    h2_buffer block = {0};
    if (flavour != 7) {
        h2_write_field(&block, ":status", wring_str(statuses[flavour & 7]));
    }
    if (flavour == 1) {
        h2_write_field(&block, "sec-websocket-protocol", wring_str("never"));
    } else if (flavour == 4) {
        h2_write_field(&block, "retry-after", wring_str("1"));
    } else if ((flavour & 16) != 0) {
        h2_write_field(&block, "Upper", wring_str("1"));
    }
    h2_write_headers(&of->unsent, stream, (flavour & 8) != 0 ? H2_END_STREAM : 0,
                     h2_buffer_view(&block), (flavour & 32) != 0 ? 3 : 0);
    h2_buffer_free(&block);
}

bool server_step(struct scene *scene, server *of) {
    bool acted = false;
    transmit(scene, of);
    receive(scene, of);
    while ((scene->flags & FLAG_ANSWERS) != 0 && of->answered < of->judge.count) {
        answer_say(of, of->judge.streams[of->answered++].id, 0);
        acted = true;
    }
    return acted;
}

static void server_close(const struct scene *scene, server *of, bool reset) {
    if (!of->gone) {
        of->gone = true;
        of->cut |= !of->end;
        wring__sim_peer_close(scene->world, of->socket, reset);
    }
}

void servers_end(struct scene *scene) {
    for (size_t i = 0; i < scene->server_count; i++) {
        server_close(scene, &scene->servers[i], false);
        h2_judge_peer_ends(&scene->servers[i].judge);
    }
    wring__sim_peer_unlisten(scene->world, scene->listener);
}

void servers_free(struct scene *scene) {
    for (size_t i = 0; i < scene->server_count; i++) {
        h2_buffer_free(&scene->servers[i].unsent);
        h2_judge_free(&scene->servers[i].judge);
    }
}

/* ---- frames ---------------------------------------------------------------------------------- */

static uint32_t stream_take(const server *of, wring_bytes *in) {
    const uint8_t which = fuzz_u8(in);
    if (which >= 0xF0 || of->judge.count == 0) {
        return (uint32_t)which & 15;
    }
    return of->judge.streams[of->judge.count - 1 - which % of->judge.count].id;
}

static uint32_t number_take(wring_bytes *in) {
    static const uint32_t edges[] = {0, 1, 100, 16384, 65535, 65536, INT32_MAX, UINT32_MAX};
    const uint8_t what = fuzz_u8(in);
    return what < 0xF8 ? what * 7u : edges[what & 7];
}

static void data_say(struct scene *scene, server *of, wring_bytes *in) {
    uint8_t bytes[256];
    const uint32_t stream = stream_take(of, in);
    const uint8_t shape = fuzz_u8(in);
    const size_t len = fuzz_u8(in);
    for (size_t i = 0; i < len; i++, scene->filled++) {
        bytes[i] = (uint8_t)(scene->filled * 13);
    }
    if ((shape & 2) != 0 && len > 0) {
        bytes[0] = shape >> 2;
        h2_write_frame(&of->unsent, H2_DATA, H2_PADDED | (shape & 1), stream,
                       wring_bytes_of(bytes, len));
    } else {
        h2_write_data(&of->unsent, stream, (shape & 1) != 0, wring_bytes_of(bytes, len));
    }
}

static void message_say(server *of, wring_bytes *in, bool closes) {
    const uint32_t stream = stream_take(of, in);
    const uint8_t first = closes ? 0x88 : fuzz_u8(in);
    const wring_bytes payload =
        closes ? wring_bytes_of("\x03\xE8", 2) : fuzz_take(in, fuzz_u8(in) & 0x7F);
    fuzz_log frame = {0};
    fuzz_frame_write(&frame, WRING_ROLE_CLIENT, first, payload, 0);
    h2_write_data(&of->unsent, stream, closes && (fuzz_u8(in) & 1) != 0,
                  wring_bytes_of(frame.data, frame.len));
    fuzz_log_free(&frame);
}

static void many_say(server *of, wring_bytes *in) {
    const uint8_t what = fuzz_u8(in);
    const uint32_t stream = stream_take(of, in);
    for (unsigned i = 0; i < 4u << (what & 3); i++) {
        switch (what >> 2 & 3) {
        case 0:
            h2_write_ping(&of->unsent, false);
            break;
        case 1:
            h2_write_setting(&of->unsent, H2_MAX_FRAME_SIZE, 16384);
            break;
        case 2:
            h2_write_data(&of->unsent, stream, false, wring_bytes_of(NULL, 0));
            break;
        default:
            h2_write_window(&of->unsent, stream, 1);
        }
    }
}

static void goaway_say(server *of, wring_bytes *in) {
    const uint8_t last = fuzz_u8(in);
    const uint8_t payload[8] = {last == 0xFF ? 0x7F : 0,
                                last == 0xFF ? 0xFF : 0,
                                last == 0xFF ? 0xFF : 0,
                                last,
                                0,
                                0,
                                0,
                                fuzz_u8(in)};
    h2_write_frame(&of->unsent, H2_GOAWAY, 0, 0, wring_bytes_of(payload, sizeof payload));
}

static void any_say(server *of, wring_bytes *in) {
    const uint8_t type = fuzz_u8(in);
    const uint8_t flags = fuzz_u8(in);
    const uint32_t stream = stream_take(of, in);
    h2_write_frame(&of->unsent, type & 31, flags, stream, fuzz_take(in, fuzz_u8(in)));
}

static void frame_say(struct scene *scene, server *of, wring_bytes *in, uint8_t op) {
    const bool has_stream = op == ACT_ANSWER || op == ACT_RESET || op == ACT_WINDOW;
    const uint32_t stream = has_stream ? stream_take(of, in) : 0;
    switch (op) {
    case ACT_ANSWER:
        answer_say(of, stream, fuzz_u8(in));
        break;
    case ACT_MESSAGE:
    case ACT_CLOSE_FRAME:
        message_say(of, in, op == ACT_CLOSE_FRAME);
        break;
    case ACT_DATA:
        data_say(scene, of, in);
        break;
    case ACT_RESET:
        h2_write_reset(&of->unsent, stream, fuzz_u8(in));
        break;
    case ACT_WINDOW:
        h2_write_window(&of->unsent, stream, number_take(in));
        break;
    case ACT_SETTING:
        h2_write_setting(&of->unsent, fuzz_u8(in) & 15u, number_take(in));
        break;
    case ACT_SETTINGS_ACK:
        h2_write_settings_ack(&of->unsent);
        break;
    case ACT_PING:
    case ACT_PONG:
        h2_write_ping(&of->unsent, op == ACT_PONG);
        break;
    case ACT_GOAWAY:
        goaway_say(of, in);
        break;
    case ACT_FRAME:
        any_say(of, in);
        break;
    case ACT_MANY:
        many_say(of, in);
        break;
    default:
        break;
    }
}

/* ---- acts ------------------------------------------------------------------------------------ */

static server *server_at(struct scene *scene) {
    return scene->server_count == 0 ? NULL : &scene->servers[scene->at % scene->server_count];
}

void server_says(struct scene *scene, wring_bytes bytes) {
    server *of = server_at(scene);
    if (of != NULL) {
        h2_buffer_add(&of->unsent, bytes.data, bytes.len);
    }
}

static void end_act(struct scene *scene, server *of, uint8_t op) {
    if (op == ACT_SHUTDOWN && !of->gone && !of->shut) {
        of->shut = true;
        wring__sim_peer_shutdown(scene->world, of->socket);
    } else if (op == ACT_CLOSE || op == ACT_BREAK) {
        server_close(scene, of, op == ACT_BREAK);
    } else if (op == ACT_STOP_READING || op == ACT_READ_ON) {
        of->reads = op == ACT_READ_ON;
    }
}

void server_acts(struct scene *scene, wring_bytes *in, uint8_t op) {
    server *of = server_at(scene);
    if (op == ACT_OTHER) {
        scene->at = fuzz_u8(in);
    } else if (op == ACT_MUTATE) {
        scene->mutate_at = fuzz_u8(in);
        scene->mutate_mask = fuzz_u8(in);
    } else if (of != NULL && op < ACT_USER) {
        const size_t before = of->unsent.len;
        frame_say(scene, of, in, op);
        if (scene->mutate_mask != 0 && of->unsent.len > before) {
            of->unsent.data[before + scene->mutate_at % (of->unsent.len - before)] ^=
                scene->mutate_mask;
            scene->mutate_mask = 0;
        }
    } else if (of != NULL) {
        end_act(scene, of, op);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The stream of a client's session, and its connection: the last one, where others did not take
 * it. */
static const h2_judged_stream *stream_of(const struct scene *scene, size_t number,
                                         const server **on) {
    wring_bytes path;
    for (size_t i = scene->server_count; i > 0; i--) {
        const server *of = &scene->servers[i - 1];
        const h2_judged_stream *stream = h2_judge_stream(&of->judge, scene->users[number].stream);
        if (stream != NULL && h2_judged_field(stream, ":path", &path) && path.len == 2 &&
            path.data[1] == '0' + number) {
            *on = of;
            return stream;
        }
    }
    return NULL;
}

static void user_check(const struct scene *scene, size_t number) {
    const user *mine = &scene->users[number];
    const server *on = NULL;
    FUZZ_CHECK(mine->closes == 1 && mine->app.inits <= 1 && mine->app.inits <= mine->opens);
    FUZZ_CHECK(mine->app.terminates == mine->app.inits);
    if (mine->app.inits == 0) {
        return;
    }
    const h2_judged_stream *stream = stream_of(scene, number, &on);
    if (stream == NULL) {
        return; /* accepted before its request was read, and then it was not */
    }
    FUZZ_CHECK(stream->heads_by_peer > 0);
    const bool cut = on->cut || !stream->ended || stream->reset || stream->peer_reset;
    fuzz_wire wire = fuzz_wire_read(WRING_ROLE_CLIENT, h2_buffer_view(&stream->data), cut);
    fuzz_app_check(&mine->app, &wire, cut);
    fuzz_app_check_got(&mine->app, WRING_ROLE_CLIENT, &scene->session,
                       h2_buffer_view(&stream->peer_data), cut);
    fuzz_wire_free(&wire);
}

void users_check(struct scene *scene) {
    for (size_t i = 0; i < scene->user_count; i++) {
        scene->users[i].app.mailed = true; /* the close of the end came by mail */
        user_check(scene, i);
    }
}
