/* SPDX-License-Identifier: Apache-2.0
 *
 * libwring-proto in a libuv loop, in the pull style: no callbacks of wring's at all, only a session
 * that is fed bytes and asked for events. Usage: embed_libuv [port]; ends with its standard input.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <wring/http.h>
#include <wring/session.h>

struct connection {
    uv_tcp_t tcp;
    wring_session *session;
    uint8_t head[16384]; /* the request head, until the upgrade is done */
    size_t head_len;
};

static void on_closed(uv_handle_t *handle) {
    struct connection *c = handle->data;
    wring_session_destroy(c->session);
    free(c);
}

static void finish(struct connection *c) {
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    }
}

static void on_written(uv_write_t *write, int status) {
    struct connection *c = write->handle->data;
    free(write->data);
    free(write);
    if (status < 0 || wring_session_is_finished(c->session)) {
        finish(c);
    }
}

static void send_bytes(struct connection *c, wring_bytes bytes) {
    uv_write_t *write = malloc(sizeof *write);
    uv_buf_t buffer = uv_buf_init(malloc(bytes.len), (unsigned)bytes.len);
    memcpy(buffer.base, bytes.data, bytes.len);
    write->data = buffer.base;
    uv_write(write, (uv_stream_t *)&c->tcp, &buffer, 1, on_written);
}

/* Everything the session has to say, and everything it has to send. */
static void pull(struct connection *c) {
    wring_event event;
    while (wring_session_next(c->session, &event) == WRING_OK) {
        bool data = event.kind == WRING_EVENT_MESSAGE &&
                    (event.message.opcode == WRING_TEXT || event.message.opcode == WRING_BINARY);
        wring_frame echo = {event.message.opcode, 0, event.message.payload};
        if (data && wring_session_send(c->session, &echo) != WRING_OK) {
            wring_session_fail(c->session, WRING_ERR_NO_MEMORY);
        }
    }
    for (wring_bytes out; (out = wring_session_output(c->session)).len > 0;) {
        send_bytes(c, out);
        wring_session_sent(c->session, out.len);
    }
}

static void feed(struct connection *c, uint8_t *data, size_t len) {
    wring_mut_bytes bytes = {data, len};
    if (wring_session_feed(c->session, bytes, uv_hrtime()) == WRING_OK) {
        pull(c);
    }
}

static void upgrade(struct connection *c) {
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_headers none = {NULL, 0};
    wring_request request;
    wring_upgrade_info info;
    char out[1024];
    size_t head_len, out_len;
    wring_result result =
        wring_h1_parse_request(wring_bytes_of(c->head, c->head_len), list, &request, &head_len);
    if (result == WRING_MORE && c->head_len < sizeof c->head) {
        return;
    }
    if (result != WRING_OK ||
        wring_h1_validate_request(request.method, request.headers, NULL, &info) != WRING_OK ||
        wring_h1_response_write(&info, none, out, sizeof out, &out_len) != WRING_OK ||
        wring_session_open(c->session, uv_hrtime()) != WRING_OK) {
        finish(c);
        return;
    }
    send_bytes(c, wring_bytes_of(out, out_len));
    feed(c, c->head + head_len, c->head_len - head_len);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
    struct connection *c = stream->data;
    bool open = wring_session_get_state(c->session) != WRING_SESSION_READY;
    if (n < 0) {
        finish(c);
    } else if (open) {
        feed(c, (uint8_t *)buffer->base, (size_t)n);
    } else if ((size_t)n <= sizeof c->head - c->head_len) {
        memcpy(c->head + c->head_len, buffer->base, (size_t)n);
        c->head_len += (size_t)n;
        upgrade(c);
    } else {
        finish(c);
    }
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer) {
    static char data[65536]; /* used up within on_read */
    (void)handle;
    (void)wanted;
    *buffer = uv_buf_init(data, sizeof data);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct connection *c = calloc(1, sizeof *c);
    uv_tcp_init(listener->loop, &c->tcp);
    c->tcp.data = c;
    if (status != 0 || uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
        wring_session_create(NULL, &c->session, NULL) != WRING_OK) {
        finish(c);
        return;
    }
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_stdin(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    uv_stop(poll->loop);
}

int main(int argc, char **argv) {
    (void)signal(SIGPIPE, SIG_IGN); /* libuv writes to peers that are gone */
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_poll_t input;
    struct sockaddr_in address;
    int len = sizeof address;
    uv_ip4_addr("127.0.0.1", argc > 1 ? (int)strtol(argv[1], NULL, 10) : 8080, &address);
    uv_tcp_init(loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 128, on_connection) != 0) {
        fputs("cannot listen\n", stderr);
        return 1;
    }
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &len);
    printf("listening on port %d\n", (address.sin_port >> 8 | address.sin_port << 8) & 0xFFFF);
    fflush(stdout);
    uv_poll_init(loop, &input, 0);
    uv_poll_start(&input, UV_READABLE, on_stdin);
    uv_run(loop, UV_RUN_DEFAULT); /* until the input ends */
    return 0;
}
