/* SPDX-License-Identifier: Apache-2.0
 *
 * See clients.h. The process obeys orders from a socket: {what, argument, argument} -> {ok}.
 */
#include "bench/idle/clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/idle/client.h"

#define CLIENTS_MAX 100000
#define STORED      6 /* bytes around what deflate stores: RFC 1951 3.2.4, RFC 7692 7.2.3.3 */

enum order_kind { ORDER_OPEN, ORDER_TALK, ORDER_CLOSE };

struct order {
    uint32_t kind;
    uint32_t port;
    uint32_t argument;
};

static struct {
    struct client list[CLIENTS_MAX];
    uint32_t count;
    SSL_CTX *context;
    bool deflate;
    uint32_t streams;
    int orders; /* our end, in either process */
    pid_t child;
} clients;

/* ---- in the clients' process ----------------------------------------------------------------- */

static bool told(const char *what) {
    fprintf(stderr, "bench-idle: client %u: %s: %s\n", clients.count, what, strerror(errno));
    return false;
}

bool client_write(const struct client *client, const void *data, size_t len) {
    return client->ssl != NULL ? SSL_write(client->ssl, data, (int)len) == (int)len
                               : write(client->descriptor, data, len) == (ssize_t)len;
}

static ssize_t stream_read(const struct client *client, void *data, size_t len) {
    return client->ssl != NULL ? SSL_read(client->ssl, data, (int)len)
                               : read(client->descriptor, data, len);
}

static bool upgrade(const struct client *client) {
    static const char request[] = "GET / HTTP/1.1\r\n"
                                  "Host: localhost\r\n"
                                  "Upgrade: websocket\r\n"
                                  "Connection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\n";
    static const char offer[] = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    char text[sizeof request + sizeof offer + 2];
    char response[1024];
    size_t len = 0;
    (void)snprintf(text, sizeof text, "%s%s\r\n", request, clients.deflate ? offer : "");
    if (!client_write(client, text, strlen(text))) {
        return false;
    }
    while (len < sizeof response - 1) {
        ssize_t n = stream_read(client, response + len, sizeof response - 1 - len);
        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
        response[len] = 0;
        if (strstr(response, "\r\n\r\n") != NULL) {
            const bool agreed = strstr(response, "permessage-deflate") != NULL;
            return strncmp(response, "HTTP/1.1 101 ", 13) == 0 && agreed == clients.deflate;
        }
    }
    return false;
}

static bool secure(struct client *client) {
    client->ssl = SSL_new(clients.context);
    return client->ssl != NULL && SSL_set_fd(client->ssl, client->descriptor) == 1 &&
           SSL_connect(client->ssl) == 1;
}

static bool open_one(uint16_t port, uint32_t streams) {
    struct client *client = &clients.list[clients.count];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int on = 1;
    client->ssl = NULL;
    client->streams = streams;
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->descriptor < 0) {
        return told("socket");
    }
    clients.count++;
    (void)setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->descriptor, (struct sockaddr *)&to, sizeof to) != 0) {
        return told("connect");
    }
    if (clients.context != NULL && !secure(client)) {
        return told("TLS handshake");
    }
    return (streams > 0 ? client_h2_open(client) : upgrade(client)) || told("upgrade");
}

static bool open_all(uint16_t port, uint32_t count) {
    const uint32_t each = clients.streams == 0 ? 1 : clients.streams;
    for (uint32_t left = count; left > 0;) {
        const uint32_t now = left < each ? left : each;
        if (clients.count == CLIENTS_MAX || !open_one(port, clients.streams == 0 ? 0 : now)) {
            return false;
        }
        left -= now;
    }
    return true;
}

bool client_read(const struct client *client, uint8_t *data, size_t len) {
    for (size_t have = 0; have < len;) {
        ssize_t n = stream_read(client, data + have, len - have);
        if (n <= 0) {
            return false;
        }
        have += (size_t)n;
    }
    return true;
}

/* `len` times x; as a stored block where deflate was agreed on. */
static size_t payload_write(uint8_t *to, uint32_t len) {
    const uint8_t head[5] = {0, (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)~len,
                             (uint8_t)(~len >> 8)};
    if (!clients.deflate) {
        memset(to, 'x', len);
        return len;
    }
    memcpy(to, head, sizeof head);
    memset(to + sizeof head, 'x', len);
    to[sizeof head + len] = 0;
    return len + STORED;
}

static size_t message_write(uint8_t *frame, uint32_t len) {
    const size_t sent = len + (clients.deflate ? STORED : 0);
    const size_t more = sent > 125 ? 2 : 0; /* bytes of extended length, RFC 6455 5.2 */
    frame[0] = clients.deflate ? 0xC2 : 0x82;
    frame[1] = (uint8_t)(0x80 | (more > 0 ? 126 : sent));
    frame[2] = (uint8_t)(sent >> 8);
    frame[3] = (uint8_t)sent;
    memset(frame + 2 + more, 0, 4); /* a key of zeros */
    return 6 + more + payload_write(frame + 6 + more, len);
}

/* An answer of whatever length: it may be compressed. */
static bool answer_read(const struct client *client) {
    static uint8_t data[MESSAGE_MAX];
    uint8_t head[2], more[2];
    if (!client_read(client, head, sizeof head)) {
        return false;
    }
    size_t len = head[1];
    if (len == 126) {
        if (!client_read(client, more, sizeof more)) {
            return false;
        }
        len = (size_t)more[0] << 8 | more[1];
    }
    return len <= sizeof data && client_read(client, data, len);
}

static bool talk_one(const struct client *client, uint32_t len) {
    static uint8_t frame[MESSAGE_MAX + STORED + 8];
    const size_t whole = message_write(frame, len);
    if (client->streams > 0) {
        return client_h2_talk(client, frame, whole) || told("a session");
    }
    if (!client_write(client, frame, whole)) {
        return told("write");
    }
    return answer_read(client) || told("read");
}

static bool talk_all(uint32_t len) {
    for (uint32_t i = 0; i < clients.count; i++) {
        if (!talk_one(&clients.list[i], len)) {
            return false;
        }
    }
    return true;
}

static bool close_all(void) {
    while (clients.count > 0) {
        const struct client *client = &clients.list[--clients.count];
        if (client->ssl != NULL) {
            (void)SSL_shutdown(client->ssl);
            SSL_free(client->ssl);
        }
        close(client->descriptor);
    }
    return true;
}

static bool obey(const struct order *order) {
    switch ((enum order_kind)order->kind) {
    case ORDER_OPEN:
        return open_all((uint16_t)order->port, order->argument);
    case ORDER_TALK:
        return talk_all(order->argument);
    case ORDER_CLOSE:
        return close_all();
    }
    return false;
}

static bool context_make(const struct clients_config *config) {
    const int version = config->tls_version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    clients.context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(clients.context, SSL_MODE_RELEASE_BUFFERS);
    if (config->streams > 0 &&
        SSL_CTX_set_alpn_protos(clients.context, (const uint8_t *)"\2h2", 3)) {
        return false;
    }
    return SSL_CTX_set_min_proto_version(clients.context, version) == 1 &&
           SSL_CTX_set_max_proto_version(clients.context, version) == 1 &&
           (config->cert == NULL ||
            (SSL_CTX_use_certificate_file(clients.context, config->cert, SSL_FILETYPE_PEM) == 1 &&
             SSL_CTX_use_PrivateKey_file(clients.context, config->key, SSL_FILETYPE_PEM) == 1));
}

/* Ends without atexit: the certificates are the other process's to remove. */
_Noreturn static void serve(const struct clients_config *config) {
    struct order order;
    clients.deflate = config->deflate;
    clients.streams = config->streams;
    if (config->tls && !context_make(config)) {
        fprintf(stderr, "bench-idle: the clients' TLS cannot be set up\n");
        _exit(1);
    }
    while (read(clients.orders, &order, sizeof order) == (ssize_t)sizeof order) {
        const bool ok = obey(&order);
        if (write(clients.orders, &ok, sizeof ok) != (ssize_t)sizeof ok) {
            break;
        }
    }
    _exit(0);
}

/* ---- in the measured process ----------------------------------------------------------------- */

void clients_start(const struct clients_config *config) {
    int pair[2];
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        perror("bench-idle: socketpair");
        exit(1);
    }
    clients.child = fork();
    clients.orders = pair[clients.child == 0];
    close(pair[clients.child != 0]);
    if (clients.child == 0) {
        serve(config);
    }
    if (clients.child < 0) {
        perror("bench-idle: fork");
        exit(1);
    }
}

static bool give(enum order_kind kind, uint16_t port, uint32_t argument) {
    const struct order order = {kind, port, argument};
    bool ok = false;
    return write(clients.orders, &order, sizeof order) == (ssize_t)sizeof order &&
           read(clients.orders, &ok, sizeof ok) == (ssize_t)sizeof ok && ok;
}

bool clients_open(uint16_t port, uint32_t count) {
    return give(ORDER_OPEN, port, count);
}

bool clients_talk(uint32_t len) {
    return give(ORDER_TALK, 0, len);
}

bool clients_close(void) {
    return give(ORDER_CLOSE, 0, 0);
}

void clients_stop(void) {
    close(clients.orders);
    (void)waitpid(clients.child, NULL, 0);
}
