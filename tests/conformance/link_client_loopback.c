/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester is the server; a thread connects to it as a client that echoes.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/deflate.h"
#include "tests/conformance/echo_client.h"
#include "tests/conformance/link_loopback.h"
#include "wring/upgrade.h"

struct client_link {
    int listener, fd;
    uint16_t port;
    pthread_t thread;
};

/* ---- the client's thread ---- */

static int client_connect(uint16_t port) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static const char *client_offer(char out[WRING_DEFLATE_TEXT_MAX]) {
    if (link_deflate == NULL) {
        return NULL;
    }
    const wring_deflate_config config = deflate_client_config(link_deflate);
    (void)wring_deflate_offer(&config, out);
    return out;
}

/* The machine is made with what the response has to say. */
static bool client_accepts(wring_headers headers) {
    if (link_deflate == NULL) {
        return true;
    }
    const wring_deflate_config config = deflate_client_config(link_deflate);
    const wring_deflate_params want = deflate_client_params(link_deflate);
    wring_deflate_params params = {0};
    bool accepted;
    return wring_deflate_response_parse(headers, &config, false, &params, &accepted, NULL) ==
               WRING_OK &&
           accepted && params.server_max_window_bits == want.server_max_window_bits &&
           params.client_max_window_bits == want.client_max_window_bits &&
           params.server_no_context_takeover == want.server_no_context_takeover &&
           params.client_no_context_takeover == want.client_no_context_takeover;
}

static bool client_handshake(int fd) {
    char key[25], request[512], head[1024];
    size_t request_len, len, head_len;
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_headers headers;
    wring_bytes subprotocol;
    int status;
    char offer[WRING_DEFLATE_TEXT_MAX];
    const wring_upgrade_offer asked = {.struct_size = sizeof asked,
                                       .host = "localhost",
                                       .target = "/",
                                       .extensions = client_offer(offer)};
    return wring_h1_client_key(key) == WRING_OK &&
           wring_h1_request_write(&asked, key, request, sizeof request, &request_len) == WRING_OK &&
           loopback_write(fd, request, request_len) &&
           loopback_read_head(fd, head, sizeof head, &len) &&
           wring_h1_response_parse(wring_bytes_of((uint8_t *)head, len), list, &status, &headers,
                                   &head_len) == WRING_OK &&
           wring_h1_response_validate(&asked, key, status, headers, &subprotocol) == WRING_OK &&
           client_accepts(headers);
}

static void client_echo(int fd) {
    static _Thread_local uint8_t buffer[65536];
    wring_deflate *contexts;
    wring_machine *machine = echo_client_create(&contexts);
    loopback_prepare(fd);
    while (!echo_client_is_done(machine)) {
        const wring_bytes out = wring_machine_output(machine);
        const struct moved moved = loopback_move(fd, out.data, out.len, buffer, sizeof buffer);
        if (moved.sent > 0) {
            wring_machine_sent(machine, moved.sent);
        }
        if (moved.received > 0) {
            echo_client_feed(machine, (wring_mut_bytes){buffer, moved.received});
        }
        if (moved.end || moved.reset || moved.timeout) {
            break;
        }
    }
    wring_machine_destroy(machine);
    wring_deflate_destroy(contexts);
}

/* Waits for the other end before closing, so that unread bytes do not reset what was sent. */
static void client_shut(int fd) {
    static _Thread_local uint8_t rest[65536];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    shutdown(fd, SHUT_WR);
    while (poll(&p, 1, 200) > 0 && recv(fd, rest, sizeof rest, 0) > 0) {
    }
    close(fd);
}

static void *client_main(void *argument) {
    const struct client_link *l = argument;
    const int fd = client_connect(l->port);
    if (fd >= 0) {
        if (client_handshake(fd)) {
            client_echo(fd);
        }
        client_shut(fd);
    }
    return NULL;
}

/* ---- the tester's end ---- */

bool loopback_grant(int fd) {
    char head[1024], response[512];
    size_t len, head_len, response_len;
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    char answer[DEFLATE_TEXT];
    deflate_answer(link_deflate, answer);
    const wring_header extension = {wring_str("Sec-WebSocket-Extensions"), wring_str(answer)};
    const wring_headers extra = {&extension, answer[0] == 0 ? 0 : 1};
    return loopback_read_head(fd, head, sizeof head, &len) &&
           wring_h1_request_parse(wring_bytes_of((uint8_t *)head, len), list, &request,
                                  &head_len) == WRING_OK &&
           wring_h1_request_validate(request.method, request.headers, NULL, &info) == WRING_OK &&
           wring_h1_response_write(&info, extra, response, sizeof response, &response_len) ==
               WRING_OK &&
           loopback_write(fd, response, response_len);
}

static void client_close(void *link) {
    struct client_link *l = link;
    if (l->fd >= 0) {
        close(l->fd);
    }
    close(l->listener);
    pthread_join(l->thread, NULL);
    free(l);
}

static void *client_open(const struct link_ops *ops, uint64_t seed) {
    (void)ops;
    struct client_link *l = calloc(1, sizeof *l);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    (void)seed;
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(l->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(l->listener, 1) != 0 ||
        getsockname(l->listener, (struct sockaddr *)&address, &len) != 0) {
        abort();
    }
    l->port = ntohs(address.sin_port);
    if (pthread_create(&l->thread, NULL, client_main, l) != 0) {
        abort();
    }
    l->fd = accept(l->listener, NULL, NULL);
    if (l->fd < 0 || !loopback_grant(l->fd)) {
        client_close(l);
        return NULL;
    }
    loopback_prepare(l->fd);
    return l;
}

static struct moved client_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                size_t cap) {
    return loopback_move(((struct client_link *)link)->fd, bytes, len, out, cap);
}

const struct link_ops link_client_loopback = {
    .name = "client-loopback",
    .text = "client, loopback",
    .tester_is_client = false,
    .open = client_open,
    .move = client_move,
    .close = client_close,
};
