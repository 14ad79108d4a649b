/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester is a server over TLS, by OpenSSL on a socket; wring_client_create reaches it as wss://
 * with a handler that echoes. So the client is tested as it ships: resolver, dial, TLS, upgrade,
 * session.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/certs/certs.h"
#include "tests/conformance/deflate.h"
#include "tests/conformance/link_loopback.h"
#include "tests/conformance/tls.h"
#include "wring/client.h"
#include "wring/upgrade.h"

struct wss_link {
    wring_client *client;
    SSL *ssl;
    int listener, fd;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static SSL_CTX *context;
static wring_pool *pool;

static void check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "conformance: %s failed\n", what);
        abort();
    }
}

static void pool_end(void) {
    wring_pool_destroy(pool, 1000);
    SSL_CTX_free(context);
}

static void set_up(void) {
    context = tls_server_context();
    atexit(pool_end);
    check(wring_pool_create(NULL, &pool, NULL) == WRING_OK, "wring_pool_create");
}

/* ---- the client that is tested ---- */

static wring_verdict echo(wring_session *session, const wring_message *message) {
    if (message->opcode == WRING_TEXT || message->opcode == WRING_BINARY) {
        const wring_frame frame = {.opcode = message->opcode, .payload = message->payload};
        return wring_session_send(session, &frame) == WRING_OK ? WRING_CONTINUE : WRING_STOP;
    }
    return WRING_CONTINUE;
}

static wring_client *client_start(uint16_t port) {
    static const wring_handler handler = {
        .struct_size = sizeof handler, .name = "echo", .handle_in = echo};
    const wring_tls_client_config tls = {.struct_size = sizeof tls, .ca_file = cert_path("ca.pem")};
    const struct deflate_set none = {0};
    const wring_deflate_config deflate =
        deflate_client_config(link_deflate == NULL ? &none : link_deflate);
    const wring_client_config config = {.struct_size = sizeof config,
                                        .handler = &handler,
                                        .tls = &tls,
                                        .deflate = link_deflate == NULL ? NULL : &deflate};
    wring_client *client = NULL;
    char url[64];
    snprintf(url, sizeof url, "wss://localhost:%u/", port);
    check(wring_client_create(wring_pool_loop(pool), url, &config, &client, NULL) == WRING_OK,
          "wring_client_create");
    return client;
}

/* ---- the tester's end ---- */

static bool head_read(SSL *ssl, char *head, size_t cap, size_t *len) {
    for (*len = 0; *len < cap; ++*len) {
        if (*len >= 4 && memcmp(head + *len - 4, "\r\n\r\n", 4) == 0) {
            return true;
        }
        if (SSL_read(ssl, head + *len, 1) != 1) {
            return false;
        }
    }
    return false;
}

static bool server_handshake(SSL *ssl) {
    char head[1024], response[512];
    size_t len, head_len, response_len;
    wring_header list[WRING_HTTP_FIELDS_MAX];
    wring_request request = {.struct_size = sizeof request};
    wring_h1_upgrade_info info = {.struct_size = sizeof info};
    char answer[DEFLATE_TEXT];
    deflate_answer(link_deflate, answer);
    const wring_header extension = {wring_str("Sec-WebSocket-Extensions"), wring_str(answer)};
    const wring_headers extra = {&extension, answer[0] == 0 ? 0 : 1};
    return SSL_accept(ssl) == 1 && head_read(ssl, head, sizeof head, &len) &&
           wring_h1_request_parse(wring_bytes_of((uint8_t *)head, len), list, &request,
                                  &head_len) == WRING_OK &&
           wring_h1_request_validate(request.method, request.headers, NULL, &info) == WRING_OK &&
           wring_h1_response_write(&info, extra, response, sizeof response, &response_len) ==
               WRING_OK &&
           SSL_write(ssl, response, (int)response_len) == (int)response_len;
}

static void wss_close(void *link) {
    struct wss_link *l = link;
    wring_client_destroy(l->client);
    SSL_free(l->ssl);
    if (l->fd >= 0) {
        close(l->fd);
    }
    close(l->listener);
    free(l);
}

static void *wss_open(const struct link_ops *ops, uint64_t seed) {
    (void)ops;
    struct wss_link *l = calloc(1, sizeof *l);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    (void)seed;
    pthread_once(&once, set_up);
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(l->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(l->listener, 1) == 0 &&
              getsockname(l->listener, (struct sockaddr *)&address, &len) == 0,
          "listening");
    l->client = client_start(ntohs(address.sin_port));
    l->fd = accept(l->listener, NULL, NULL);
    l->ssl = SSL_new(context);
    check(l->fd >= 0 && l->ssl != NULL && SSL_set_fd(l->ssl, l->fd) == 1, "accepting");
    if (!server_handshake(l->ssl)) {
        wss_close(l);
        return NULL;
    }
    loopback_prepare(l->fd);
    return l;
}

static void receive(SSL *ssl, uint8_t *out, size_t cap, struct moved *moved) {
    const int n = SSL_read(ssl, out, (int)cap);
    const int error = n > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl, n);
    moved->received = n > 0 ? (size_t)n : 0;
    moved->end = error == SSL_ERROR_ZERO_RETURN;
    moved->reset = error == SSL_ERROR_SYSCALL || error == SSL_ERROR_SSL;
}

static struct moved wss_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                             size_t cap) {
    struct wss_link *l = link;
    struct moved moved = {0};
    for (;;) {
        receive(l->ssl, out, cap, &moved);
        if (len > 0 && !moved.end && !moved.reset) {
            const int n = SSL_write(l->ssl, bytes, (int)len);
            moved.sent = n > 0 ? (size_t)n : 0;
            /* one that fails because the client has gone: what it said is still to be read */
        }
        if (moved.sent > 0 || moved.received > 0 || moved.end || moved.reset) {
            return moved;
        }
        struct pollfd p = {.fd = l->fd, .events = (short)(POLLIN | (len > 0 ? POLLOUT : 0))};
        if (poll(&p, 1, 5000) <= 0) {
            moved.timeout = true;
            return moved;
        }
    }
}

const struct link_ops link_client_wss = {
    .name = "client-wss",
    .text = "client, wss",
    .tester_is_client = false,
    .open = wss_open,
    .move = wss_move,
    .close = wss_close,
};
