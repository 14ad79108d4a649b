/* SPDX-License-Identifier: Apache-2.0
 *
 * libwring-proto in a plain poll() loop: a handler over a transport of our own, one connection at a
 * time. Usage: embed_poll [port]; serves until its standard input ends.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <wring/embed.h>
#include <wring/upgrade.h>

struct stream {
    int fd;
    bool wanted; /* the session asked for bytes */
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static wring_result stream_send(void *handle, wring_bytes bytes) {
    struct stream *stream = handle;
    while (bytes.len > 0) { /* a blocking socket: a real loop would queue */
        ssize_t n = send(stream->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (n < 0) {
            return WRING_ERR_TRANSPORT;
        }
        bytes = wring_bytes_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return WRING_OK;
}

static wring_result stream_activate(void *handle) {
    ((struct stream *)handle)->wanted = true;
    return WRING_OK;
}

static void stream_close(void *handle) {
    shutdown(((struct stream *)handle)->fd, SHUT_WR);
}

static const wring_transport transport = {.struct_size = sizeof transport,
                                          .name = "poll",
                                          .send = stream_send,
                                          .activate = stream_activate,
                                          .close = stream_close};

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

/* Reads the head, answers it, and hands the stream to a session; NULL if it was no upgrade. */
static wring_embed *upgrade(struct stream *stream) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "echo", .handle_in = echo};
    static uint8_t data[16384];
    size_t len = 0, head_len = 0, out_len = 0;
    wring_header list[WRING_HTTP_FIELDS_MAX];
    const wring_headers no_more = {NULL, 0};
    wring_request request = {.struct_size = sizeof request};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    wring_embed *embed = NULL;
    wring_result result = WRING_MORE;
    char out[1024];
    while (result == WRING_MORE && len < sizeof data) {
        ssize_t n = recv(stream->fd, data + len, sizeof data - len, 0);
        if (n <= 0) {
            return NULL;
        }
        len += (size_t)n;
        result = wring_h1_request_parse(wring_bytes_of(data, len), list, &request, &head_len);
    }
    if (result != WRING_OK ||
        wring_h1_request_validate(request.method, request.headers, NULL, &info) != WRING_OK ||
        wring_h1_response_write(&info, no_more, out, sizeof out, &out_len) != WRING_OK ||
        stream_send(stream, wring_bytes_of(out, out_len)) != WRING_OK) {
        return NULL;
    }
    const wring_embed_options options = {.struct_size = sizeof options,
                                         .transport = &transport,
                                         .stream = stream,
                                         .handler = &handler,
                                         .request = &request};
    if (wring_embed_accept(&options, now(), &embed, NULL) != WRING_OK ||
        wring_embed_activate(embed, now()) != WRING_OK) {
        return NULL;
    }
    wring_mut_bytes rest = {data + head_len, len - head_len}; /* the first frames, if any */
    return wring_embed_feed(embed, rest, now()) == WRING_OK ? embed : NULL;
}

static void serve(int fd) {
    struct stream stream = {fd, false};
    wring_embed *embed = upgrade(&stream);
    uint8_t data[65536];
    while (embed != NULL) {
        struct pollfd poll_fd = {fd, POLLIN, 0};
        uint64_t deadline = wring_embed_deadline_ns(embed), t = now();
        int wait = deadline == UINT64_MAX ? -1
                   : deadline <= t        ? 0
                                          : (int)((deadline - t) / 1000000) + 1;
        if (poll(&poll_fd, 1, wait) == 0) {
            embed = wring_embed_expire(embed, now()) == WRING_OK ? embed : NULL;
            continue;
        }
        ssize_t n = recv(fd, data, sizeof data, 0);
        if (n <= 0) {
            wring_embed_fail(embed, n == 0 ? WRING_ERR_TRUNCATED : WRING_ERR_TRANSPORT, now());
            break;
        }
        wring_mut_bytes bytes = {data, (size_t)n};
        embed = wring_embed_feed(embed, bytes, now()) == WRING_OK ? embed : NULL;
    }
    close(fd);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port =
                                      htons(argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 8080),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 16) != 0) {
        perror("listen");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&address, &len);
    printf("listening on port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    struct pollfd fds[2] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
        serve(accept(listener, NULL, NULL));
    }
    return 0;
}
