/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of libwebsockets against an echo server, for deflate_lws.py: offers what it is told to,
 * says what was agreed on, sends messages of several kinds and sizes and wants each back.
 *
 *     e2e-lws-client PORT PATH OFFER
 */
#include <libwebsockets.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST  100000
#define PATIENCE 30 /* seconds */

static const size_t sizes[] = {125, 126, 300, 1023, 1024, 1025, 5000, 300, 65536, 200, LONGEST};
#define SIZES (sizeof sizes / sizeof *sizes)
#define KINDS 3
#define COUNT (SIZES * KINDS)

static uint8_t message[LWS_PRE + LONGEST];
static size_t message_len;
static size_t received;
static unsigned sent, done;
static int outcome = -1; /* until it is known: the exit code */

static uint32_t random_next(void) {
    static uint32_t state = 7;
    state = state * 1664525 + 1013904223;
    return state >> 8;
}

/* Words as in a feed, the same byte over and over, and what deflate makes half as long. Nothing
 * that our server would send plain: where compression was agreed on, libwebsockets 4.1 shows such a
 * message to its application over and over (warmcat/libwebsockets#2794). */
static void message_make(unsigned number) {
    static const char *const words[] = {"price ", "12.75 ", "\"bid\":", "volume ", "{", "}\n"};
    uint8_t *to = message + LWS_PRE;
    message_len = sizes[number % SIZES];
    for (size_t i = 0; i < message_len;) {
        const char *word = words[random_next() % 6];
        const size_t len = strlen(word) < message_len - i ? strlen(word) : message_len - i;
        memcpy(to + i, word, len);
        i += len;
    }
    for (size_t i = 0; i < message_len && number / SIZES > 0; i++) {
        to[i] = number / SIZES == 1 ? 'z' : (uint8_t) "0123456789abcdef"[random_next() % 16];
    }
}

static int fail(const char *why) {
    fprintf(stderr, "e2e-lws-client: message %u of %zu bytes: %s\n", done, message_len, why);
    outcome = 1;
    return -1;
}

static int receive(struct lws *wsi, const uint8_t *data, size_t len) {
    if (sent == done) {
        return len == 0 ? 0 : fail("something nobody asked for came");
    }
    if (len > message_len - received || memcmp(data, message + LWS_PRE + received, len) != 0) {
        return fail("the echo differs");
    }
    received += len;
    if (received == message_len && ++done < COUNT) {
        lws_callback_on_writable(wsi);
    } else if (received == message_len) {
        outcome = 0;
        return -1; /* closes */
    }
    return 0;
}

static int transmit(struct lws *wsi) {
    if (sent > done) {
        return 0;
    }
    message_make(sent);
    received = 0;
    const enum lws_write_protocol kind = sent / SIZES == 0 ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
    sent++;
    return lws_write(wsi, message + LWS_PRE, message_len, kind) < (int)message_len ? fail("write")
                                                                                   : 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    char agreed[256] = "";
    (void)user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
        (void)lws_hdr_copy(wsi, agreed, sizeof agreed, WSI_TOKEN_EXTENSIONS);
        printf("%s\n", agreed);
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return transmit(wsi);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return receive(wsi, in, len);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        return fail(in == NULL ? "no connection" : in);
    case LWS_CALLBACK_CLIENT_CLOSED:
        return outcome < 0 ? fail("the connection was closed") : 0;
    default:
        return 0;
    }
}

int main(int argc, char **argv) {
    static const struct lws_protocols protocols[] = {
        {.name = "none", .callback = callback, .rx_buffer_size = 65536}, {0}};
    if (argc != 4) {
        return 2;
    }
    const struct lws_extension extensions[] = {
        {"permessage-deflate", lws_extension_callback_pm_deflate, argv[3]}, {0}};
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .extensions = extensions};
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_client_connect_info to = {.context = context,
                                         .address = "127.0.0.1",
                                         .port = (int)strtol(argv[1], NULL, 10),
                                         .path = argv[2],
                                         .host = "127.0.0.1",
                                         .origin = "127.0.0.1",
                                         .local_protocol_name = "none"};
    if (context == NULL || lws_client_connect_via_info(&to) == NULL) {
        return 1;
    }
    const time_t end = time(NULL) + PATIENCE;
    while (outcome < 0 && time(NULL) < end && lws_service(context, 0) >= 0) {
    }
    if (outcome < 0) {
        (void)fail("no answer");
    }
    lws_context_destroy(context);
    return outcome;
}
