/* SPDX-License-Identifier: Apache-2.0
 *
 * libwring-proto in a libuv loop, in the pull style: no callbacks of wring's at all, only a machine
 * that is fed bytes and asked for events. Usage: embed_libuv [port]; ends with its standard input.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <wring/machine.h>
#include <wring/upgrade.h>

struct connection {
    uv_tcp_t tcp;
    wring_machine *machine;
    uint8_t head[16384]; /* the request head, until the upgrade is done */
    size_t head_len;
};

static void on_closed(uv_handle_t *handle) {
    struct connection *c = handle->data;
    wring_machine_destroy(c->machine);
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
    if (status < 0 || wring_machine_is_finished(c->machine)) {
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

/* Everything the machine has to say, and everything it has to send. */
static void pull(struct connection *c) {
    wring_event event;
    while (wring_machine_next(c->machine, &event) == WRING_OK) {
        const wring_message *message = &event.message;
        const bool is_data = event.kind == WRING_EVENT_MESSAGE &&
                             (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY);
        const wring_frame echo = {.opcode = message->opcode, .payload = message->payload};
        if (is_data && wring_machine_send(c->machine, &echo) != WRING_OK) {
            wring_machine_fail(c->machine, WRING_ERR_NO_MEMORY);
        }
    }
    for (wring_bytes out; (out = wring_machine_output(c->machine)).len > 0;) {
        send_bytes(c, out);
        wring_machine_sent(c->machine, out.len);
    }
}

static void feed(struct connection *c, uint8_t *data, size_t len) {
    wring_mut_bytes bytes = {data, len};
    if (wring_machine_feed(c->machine, bytes, uv_hrtime()) == WRING_OK) {
        pull(c);
    }
}

static void upgrade(struct connection *c) {
    wring_header list[WRING_HTTP_FIELDS_MAX];
    const wring_headers no_more = {NULL, 0};
    wring_request request = {.struct_size = sizeof request};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    char out[1024];
    size_t head_len, out_len;
    wring_result result =
        wring_h1_request_parse(wring_bytes_of(c->head, c->head_len), list, &request, &head_len);
    if (result == WRING_MORE && c->head_len < sizeof c->head) {
        return;
    }
    if (result != WRING_OK ||
        wring_h1_request_validate(request.method, request.headers, NULL, &info) != WRING_OK ||
        wring_h1_response_write(&info, no_more, out, sizeof out, &out_len) != WRING_OK ||
        wring_machine_open(c->machine, uv_hrtime()) != WRING_OK) {
        finish(c);
        return;
    }
    send_bytes(c, wring_bytes_of(out, out_len));
    feed(c, c->head + head_len, c->head_len - head_len);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
    struct connection *c = stream->data;
    bool open = wring_machine_get_state(c->machine) != WRING_MACHINE_READY;
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
        wring_machine_create(NULL, &c->machine, NULL) != WRING_OK) {
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
