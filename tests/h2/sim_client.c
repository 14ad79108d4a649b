/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients that share connections. See sim_h2.h.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/h2/sim_h2.h"
#include "wring/upgrade.h"

#define CONNECTIONS_MAX 8192
#define FIELDS_MAX      16

struct connection {
    sim_run *run;
    wring__socket socket;
    nghttp2_session *session;
    const uint8_t *out; /* of nghttp2's: not taken by the socket yet */
    size_t out_len;
    size_t received; /* DATA of the receive at hand */
    unsigned joined; /* clients that ever were on it */
    unsigned alive;  /* clients that are not gone */
    bool is_allowed; /* the server's SETTINGS came: it takes extended CONNECT */
    bool is_closed;  /* the socket is */
    bool went_away;  /* the server said GOAWAY */
};

struct stream {
    sim_client *client;
    struct connection *connection;
    int32_t id; /* 0: the request is not sent yet */
    int status;
    uint8_t *rx; /* received, not given to the session */
    size_t rx_len;
    size_t rx_cap;
    char text[1024]; /* of the answer's fields */
    size_t text_len;
    wring_header fields[FIELDS_MAX];
    size_t field_count;
    bool is_answered;
    bool is_silent;  /* sends no request */
    bool is_stepped; /* its session's bytes are taken now */
    bool is_deferred;
    bool is_cut;   /* our side ends at once, whatever is queued */
    bool is_final; /* our side ends after what is queued */
    bool end;      /* the server's END_STREAM came */
    bool reset;
};

sim_h2_plan sim_h2_plan_now;
wring_http2_config sim_h2_config;
static struct connection connections[CONNECTIONS_MAX];
static unsigned connection_count;

static struct stream *stream_of(const sim_client *client) {
    return client->carried;
}

/* ---- nghttp2 calls --------------------------------------------------------------------------- */

static struct stream *named(nghttp2_session *session, int32_t id) {
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
    struct stream *s = named(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (s == NULL) {
        return 0;
    }
    EXPECT(s->field_count < FIELDS_MAX && s->text_len + name_len + value_len < sizeof s->text);
    char *at = s->text + s->text_len;
    memcpy(at, name, name_len);
    memcpy(at + name_len, value, value_len);
    s->text_len += name_len + value_len;
    wring_header *field = &s->fields[s->field_count++];
    field->name = wring_bytes_of(at, name_len);
    field->value = wring_bytes_of(at + name_len, value_len);
    if (wring_bytes_equal(field->name, wring_str(":status"))) {
        for (size_t i = 0; i < value_len; i++) {
            s->status = s->status * 10 + (value[i] - '0');
        }
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct connection *connection = user;
    struct stream *s = named(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        EXPECT(nghttp2_session_get_remote_settings(session,
                                                   NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1);
        connection->is_allowed = true;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        EXPECT(frame->goaway.error_code == NGHTTP2_NO_ERROR ||
               (sim_h2_plan_now.is_tortured && frame->goaway.error_code == NGHTTP2_INTERNAL_ERROR));
        connection->went_away = true;
    }
    if (s == NULL) {
        return 0;
    }
    s->is_answered |= frame->hd.type == NGHTTP2_HEADERS;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        s->end = true;
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user) {
    struct stream *s = named(session, id);
    (void)flags;
    ((struct connection *)user)->received += len;
    if (s == NULL) {
        return 0;
    }
    if (s->rx_cap - s->rx_len < len) {
        s->rx_cap = (s->rx_len + len) * 2;
        s->rx = realloc(s->rx, s->rx_cap);
        EXPECT(s->rx != NULL);
    }
    memcpy(s->rx + s->rx_len, data, len);
    s->rx_len += len;
    EXPECT(s->rx_len <= sim_h2_plan_now.window); /* the server keeps to what it was given */
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    struct stream *s = named(session, id);
    (void)user;
    if (s != NULL) {
        s->reset |= !s->end || code != NGHTTP2_NO_ERROR;
    }
    return 0;
}

static ssize_t on_data_wanted(nghttp2_session *session, int32_t id, uint8_t *out, size_t cap,
                              uint32_t *flags, nghttp2_data_source *source, void *user) {
    struct stream *s = named(session, id);
    (void)source;
    (void)user;
    if (s == NULL) {
        return NGHTTP2_ERR_DEFERRED;
    }
    const bool is_dropped = s->is_cut || s->client->phase == CLIENT_GONE;
    wring_machine *machine = is_dropped ? NULL : s->client->machine;
    const wring_bytes bytes =
        machine == NULL ? wring_bytes_of(NULL, 0) : wring_machine_output(machine);
    const size_t len = !s->is_stepped ? 0 : bytes.len < cap ? bytes.len : cap;
    if (len > 0) {
        memcpy(out, bytes.data, len);
        wring_machine_sent(machine, len);
    } else if (s->is_cut || (s->is_final && bytes.len == 0)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else {
        s->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

static nghttp2_session *session_make(struct connection *connection) {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *session;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, sim_h2_plan_now.window}};
    EXPECT(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    EXPECT(nghttp2_session_client_new2(&session, callbacks, connection, option) == 0);
    EXPECT(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 2) == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct connection *connection_dial(sim_run *run) {
    EXPECT(connection_count < CONNECTIONS_MAX);
    struct connection *connection = &connections[connection_count++];
    memset(connection, 0, sizeof *connection);
    connection->run = run;
    connection->socket = wring__sim_dial(run->world, run->port);
    EXPECT(connection->socket != WRING__SOCKET_NONE);
    connection->session = session_make(connection);
    return connection;
}

static bool is_open_to(const struct connection *connection, const sim_run *run) {
    return connection->run == run && !connection->is_closed && !connection->went_away &&
           connection->joined < sim_h2_plan_now.share &&
           nghttp2_session_check_request_allowed(connection->session) != 0;
}

static struct connection *connection_pick(sim_run *run) {
    for (unsigned i = 0; i < connection_count; i++) {
        if (is_open_to(&connections[i], run) &&
            (sim_h2_plan_now.is_full || wring__sim_random(run->world, 4) != 0)) {
            return &connections[i];
        }
    }
    return connection_dial(run);
}

static void connection_close(struct connection *connection, bool reset) {
    if (!connection->is_closed) {
        connection->is_closed = true;
        wring__sim_peer_close(connection->run->world, connection->socket, reset);
    }
}

/* A client less. */
static void connection_leave(struct connection *connection, bool reset) {
    if (--connection->alive == 0) {
        connection_close(connection, reset);
        nghttp2_session_del(connection->session);
        connection->session = NULL;
    }
}

static void connection_send(struct connection *connection) {
    while (!connection->is_closed) {
        if (connection->out_len == 0) {
            const ssize_t len = nghttp2_session_mem_send(connection->session, &connection->out);
            EXPECT(len >= 0);
            connection->out_len = (size_t)len;
        }
        const size_t taken =
            connection->out_len == 0
                ? 0
                : wring__sim_peer_send(connection->run->world, connection->socket,
                                       wring_bytes_of(connection->out, connection->out_len));
        if (taken == 0) {
            return;
        }
        connection->out += taken;
        connection->out_len -= taken;
    }
}

static void connection_receive(struct connection *connection) {
    uint8_t buffer[512];
    bool end = false;
    bool reset = false;
    if (connection->is_closed) {
        return;
    }
    connection->received = 0;
    const size_t len = wring__sim_peer_recv(connection->run->world, connection->socket, buffer,
                                            sizeof buffer, &end, &reset);
    EXPECT(nghttp2_session_mem_recv(connection->session, buffer, len) == (ssize_t)len);
    EXPECT(nghttp2_session_consume_connection(connection->session, connection->received) == 0);
    if (end) {
        connection_close(connection, false);
    }
}

/* ---- a client -------------------------------------------------------------------------------- */

static void gone(sim_client *client) {
    struct stream *s = stream_of(client);
    if (client->phase == CLIENT_GONE) {
        return;
    }
    client->phase = CLIENT_GONE;
    s->is_final = true;
    connection_leave(s->connection, false);
}

static void dial(sim_client *client) {
    struct stream *s = calloc(1, sizeof *s);
    EXPECT(s != NULL);
    client->carried = s;
    s->client = client;
    s->connection = connection_pick(client->run);
    s->connection->joined++;
    s->connection->alive++;
    client->socket = s->connection->socket;
    client->phase = CLIENT_UPGRADING;
}

static nghttp2_nv nv_of(const wring_header *header) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)header->name.data,
                        (uint8_t *)(uintptr_t)header->value.data, header->name.len,
                        header->value.len, NGHTTP2_NV_FLAG_NONE};
}

static void request_send(struct stream *s) {
    char offer[WRING_DEFLATE_TEXT_MAX];
    uint8_t storage[64];
    wring_header list[WRING_H2_REQUEST_HEADERS_MAX];
    nghttp2_nv fields[WRING_H2_REQUEST_HEADERS_MAX];
    wring_headers headers;
    const char *protocol = sim_h2_plan_now.protocol;
    const wring_upgrade_offer asked = {.struct_size = sizeof asked,
                                       .peer_allows_connect = true,
                                       .scheme = "http",
                                       .host = "sim",
                                       .target = "/",
                                       .extensions = sim_client_offer(s->client, offer)};
    EXPECT(wring_h2_request_headers(&asked, (wring_mut_bytes){storage, sizeof storage}, list,
                                    &headers) == WRING_OK);
    for (size_t i = 0, n = 0; i < headers.count; i++) {
        if (wring_bytes_equal(list[i].name, wring_str(":protocol"))) {
            list[i].value = wring_str(protocol == NULL ? "" : protocol);
        } else if (wring_bytes_equal(list[i].name, wring_str(":method")) && protocol == NULL) {
            list[i].value = wring_str("GET");
        }
        fields[n] = nv_of(&list[i]);
        n += protocol != NULL || !wring_bytes_equal(list[i].name, wring_str(":protocol"));
    }
    const nghttp2_data_provider body = {.read_callback = on_data_wanted};
    s->id = nghttp2_submit_request(s->connection->session, NULL, fields,
                                   headers.count - (protocol == NULL),
                                   protocol == NULL ? NULL : &body, s);
    EXPECT(s->id > 0);
}

static void rx_give(struct stream *s) {
    sim_client *client = s->client;
    const size_t len = s->rx_len;
    if (s->is_answered && client->machine == NULL && s->status == 200) {
        wring_bytes subprotocol;
        const wring_headers headers = {s->fields, s->field_count};
        const wring_upgrade_offer asked = {.struct_size = sizeof asked,
                                           .extensions = client->contexts == NULL ? NULL : ""};
        EXPECT(wring_h2_response_validate(&asked, s->status, headers, &subprotocol) == WRING_OK);
        sim_client_open(client, headers);
    }
    if (len > 0) {
        s->rx_len = 0;
        if (client->machine != NULL) {
            sim_client_bytes(client, s->rx, len);
        }
        if (!s->connection->is_closed) {
            EXPECT(nghttp2_session_consume_stream(s->connection->session, s->id, len) == 0);
        }
    }
}

static void transmit(sim_client *client, bool may_send) {
    struct stream *s = stream_of(client);
    struct connection *connection = s->connection;
    if (s->id == 0 && !s->is_silent && connection->is_allowed && !connection->went_away) {
        request_send(s);
    }
    s->is_stepped = may_send;
    s->is_final |= client->ended && sim_h2_plan_now.ends_first;
    if (s->is_deferred && !s->reset && !connection->is_closed) {
        s->is_deferred = false;
        (void)nghttp2_session_resume_data(connection->session, s->id);
    }
    connection_send(connection);
    s->is_stepped = false;
}

static void step(sim_client *client, bool may_send) {
    struct stream *s = stream_of(client);
    const struct connection *connection = s->connection;
    transmit(client, may_send);
    connection_receive(s->connection);
    rx_give(s);
    if (s->end || s->reset || connection->is_closed || (connection->went_away && s->id == 0)) {
        if (client->machine != NULL) {
            sim_client_eof(client);
        }
        gone(client);
    }
}

void sim_client_step(sim_client *client) {
    if (client->phase == CLIENT_NEW) {
        dial(client);
    }
    if (client->phase != CLIENT_GONE) {
        step(client, true);
    } else {
        connection_send(stream_of(client)->connection); /* the end of its stream */
    }
}

void sim_client_listen(sim_client *client) {
    if (client->phase == CLIENT_UPGRADING || client->phase == CLIENT_OPEN) {
        step(client, false);
    }
}

void sim_client_cut(sim_client *client, bool reset) {
    if (client->phase == CLIENT_GONE || client->phase == CLIENT_NEW) {
        return;
    }
    struct stream *s = stream_of(client);
    client->phase = CLIENT_GONE;
    s->is_cut = true;
    connection_leave(s->connection, reset);
    nghttp2_session *session = s->connection->session;
    if (session != NULL && s->id > 0 && reset) {
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
    } else if (session != NULL && s->id > 0) {
        (void)nghttp2_session_resume_data(session, s->id);
    }
}

void sim_client_forget(sim_client *client) {
    struct stream *s = stream_of(client);
    if (s != NULL) {
        if (s->id > 0 && s->connection->session != NULL) {
            (void)nghttp2_session_set_stream_user_data(s->connection->session, s->id, NULL);
        }
        free(s->rx);
        free(s);
        client->carried = NULL;
    }
}

/* ---- for scenarios --------------------------------------------------------------------------- */

void sim_h2_begin(uint64_t seed) {
    static const uint32_t windows[] = {65535, 200, 1500, 20000, 70};
    static const uint32_t servers[] = {65536, 1000, 150, 16384};
    connection_count = 0;
    sim_run_http2 = &sim_h2_config;
    sim_h2_config = (wring_http2_config){.struct_size = sizeof sim_h2_config,
                                         .cleartext = true,
                                         .window_bytes = servers[seed / 5 % 4],
                                         .sessions_max = 100,
                                         .resets_per_second = WRING_UNLIMITED,    /* time stands */
                                         .controls_per_second = WRING_UNLIMITED}; /* still */
    sim_h2_plan_now = (sim_h2_plan){.window = windows[seed % 5],
                                    .share = seed % 11 == 10 ? 100 : 1 + (unsigned)(seed * 7 % 9),
                                    .ends_first = seed % 2 == 0,
                                    .protocol = "websocket"};
}

void sim_h2_end(void) {
    for (unsigned i = 0; i < connection_count; i++) {
        EXPECT(connections[i].is_closed && connections[i].session == NULL);
    }
    sim_run_http2 = NULL;
}

int sim_h2_status(const sim_client *client) {
    return stream_of(client) == NULL ? 0 : stream_of(client)->status;
}

bool sim_h2_was_reset(const sim_client *client) {
    return stream_of(client)->reset || stream_of(client)->connection->is_closed;
}

void sim_h2_go_away(sim_client *client) {
    EXPECT(nghttp2_submit_goaway(stream_of(client)->connection->session, NGHTTP2_FLAG_NONE, 0,
                                 NGHTTP2_NO_ERROR, NULL, 0) == 0);
}

void sim_h2_cut_connection(sim_client *client, bool reset) {
    connection_close(stream_of(client)->connection, reset);
}

bool sim_h2_is_beside(const sim_client *client, const sim_client *other) {
    const struct stream *s = stream_of(client);
    return s != NULL && s->connection == stream_of(other)->connection && !s->connection->is_closed;
}

void sim_h2_push(sim_client *client) {
    transmit(client, true);
    connection_receive(stream_of(client)->connection);
}

void sim_h2_join(sim_client *client) {
    dial(client);
    stream_of(client)->is_silent = true;
}

unsigned sim_h2_connections(void) {
    return connection_count;
}
