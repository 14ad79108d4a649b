/* SPDX-License-Identifier: Apache-2.0
 *
 * A real server of four workers on the kernel's rings, pushed to from foreign threads: send, post,
 * publish, close and stop by ref, while clients come and go. Every client's stream is checked: what
 * one thread sent comes once and in order; a posted info is handled or given back, never both.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wring/wring.h"

#define CLIENTS  8
#define PUSHERS  3
#define MESSAGES 400
#define CHECK(x)                                                                                   \
    ((x) ? (void)0 : (fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), abort()))

static wring_server *server;
static _Atomic wring_ref refs[CLIENTS];
static _Atomic unsigned joined;
static _Atomic unsigned handled;
static _Atomic unsigned given_back;
static _Atomic unsigned terminated;

static wring_verdict on_init(wring_session *session, const wring_request *request, void *opts) {
    (void)request;
    (void)opts;
    CHECK(wring_session_subscribe(session, wring_str("all")) == WRING_OK);
    atomic_store(&refs[atomic_fetch_add(&joined, 1)], wring_session_ref(session));
    return WRING_CONTINUE;
}

static wring_verdict on_info(wring_session *session, const wring_info *info) {
    (void)session;
    CHECK(info->tag == 99 && info->data == &handled);
    atomic_fetch_add(&handled, 1);
    return WRING_CONTINUE;
}

static void on_end(wring_session *session, const wring_end *end) {
    (void)session;
    (void)end;
    atomic_fetch_add(&terminated, 1);
}

static void on_lost(const wring_info *info) {
    CHECK(info->tag == 99);
    atomic_fetch_add(&given_back, 1);
}

static void must(wring_result result) {
    CHECK(result == WRING_OK);
}

/* Sends to every client, posts, and publishes, numbered. */
static void *push(void *arg) {
    unsigned self = (unsigned)(uintptr_t)arg;
    char text[64];
    for (unsigned i = 0; i < MESSAGES; i++) {
        for (unsigned c = 0; c < CLIENTS; c++) {
            wring_frame frames[2];
            int len = snprintf(text, sizeof text, "s%u %u", self, i * 2);
            frames[0] = wring_frame_text(wring_bytes_of(text, (size_t)len));
            char more[64];
            int more_len = snprintf(more, sizeof more, "s%u %u", self, i * 2 + 1);
            frames[1] = wring_frame_text(wring_bytes_of(more, (size_t)more_len));
            must(wring_ref_send(atomic_load(&refs[c]), frames, 2));
            wring_info info = {99, &handled};
            must(wring_ref_post(atomic_load(&refs[c]), &info, on_lost));
        }
        int len = snprintf(text, sizeof text, "p%u %u", self, i);
        wring_frame frame = wring_frame_text(wring_bytes_of(text, (size_t)len));
        must(wring_server_publish(server, wring_str("all"), &frame));
    }
    return NULL;
}

static int dial(void) {
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(wring_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1);
    return fd;
}

static void read_exactly(int fd, void *out, size_t len) {
    for (size_t have = 0; have < len;) {
        ssize_t n = read(fd, (char *)out + have, len - have);
        CHECK(n > 0);
        have += (size_t)n;
    }
}

/* Reads until all is there, then the close frame that the main thread asks for. */
static void *client(void *arg) {
    int fd = (int)(intptr_t)arg;
    unsigned sent[PUSHERS] = {0};
    unsigned published[PUSHERS] = {0};
    char text[128] = {0};
    while (strstr(text, "\r\n\r\n") == NULL) { /* the 101 */
        size_t len = strlen(text);
        memmove(text, text + (len > 100 ? 1 : 0), len + 1);
        read_exactly(fd, text + strlen(text), 1);
    }
    for (;;) {
        uint8_t head[2];
        char payload[126];
        read_exactly(fd, head, 2);
        CHECK(head[1] < 126);
        read_exactly(fd, payload, head[1]);
        payload[head[1]] = 0;
        if (head[0] == 0x88) {
            CHECK((uint8_t)payload[0] << 8 == (4000 & 0xFF00) &&
                  (uint8_t)payload[1] == (4000 & 0xFF));
            break;
        }
        char kind;
        unsigned from;
        unsigned number;
        CHECK(sscanf(payload, "%c%u %u", &kind, &from, &number) == 3 && from < PUSHERS);
        unsigned *next = kind == 's' ? &sent[from] : &published[from];
        CHECK(number == *next);
        (*next)++;
    }
    for (unsigned p = 0; p < PUSHERS; p++) {
        CHECK(sent[p] == MESSAGES * 2 && published[p] == MESSAGES);
    }
    close(fd);
    return NULL;
}

int main(void) {
    static const wring_handler handler = {.struct_size = sizeof handler,
                                          .name = "pushed",
                                          .init = on_init,
                                          .handle_info = on_info,
                                          .terminate = on_end};
    wring_server_config config = {.struct_size = sizeof config, .workers = 4, .handler = &handler};
    wring_error error;
    pthread_t pushers[PUSHERS];
    pthread_t clients[CLIENTS];
    must(wring_server_create(&config, &server, &error));
    if (wring_server_start(server, &error) != WRING_OK) {
        fprintf(stderr, "%s\n", error.text);
        return error.code == WRING_ERR_BACKEND ? 77 : 1;
    }
    for (intptr_t i = 0; i < CLIENTS; i++) {
        CHECK(pthread_create(&clients[i], NULL, client, (void *)(intptr_t)dial()) == 0);
    }
    while (atomic_load(&joined) < CLIENTS) {
        sched_yield();
    }
    for (uintptr_t i = 0; i < PUSHERS; i++) {
        CHECK(pthread_create(&pushers[i], NULL, push, (void *)i) == 0);
    }
    for (int i = 0; i < PUSHERS; i++) {
        pthread_join(pushers[i], NULL);
    }
    for (int i = 0; i < CLIENTS; i++) {
        must(wring_ref_close(atomic_load(&refs[i]), 4000, wring_str("that was all")));
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
    }
    while (atomic_load(&terminated) < CLIENTS) {
        sched_yield();
    }
    wring_info info = {99, &handled};
    must(wring_ref_post(refs[0], &info, on_lost)); /* the session is gone: the info comes back */
    while (atomic_load(&given_back) == 0) {
        sched_yield();
    }
    CHECK(atomic_load(&handled) == CLIENTS * PUSHERS * MESSAGES);
    must(wring_ref_stop(refs[0]));
    wring_server_stats stats = {.struct_size = sizeof stats};
    wring_server_get_stats(server, &stats);
    printf("%llu connections, %llu turns, %llu mails came too late\n",
           (unsigned long long)stats.accepted, (unsigned long long)stats.turns,
           (unsigned long long)stats.mail_stale);
    wring_ref ref = refs[1];
    wring_server_stop(server, 1000);
    CHECK(wring_ref_stop(ref) == WRING_ERR_CLOSED); /* its worker is gone */
    wring_server_destroy(server);
    return 0;
}
