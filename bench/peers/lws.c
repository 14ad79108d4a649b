/* SPDX-License-Identifier: Apache-2.0
 *
 * libwebsockets: bench-peer-lws PORT [CERT KEY], with DEFLATE in the environment for compression.
 * Writes until the kernel takes no more, not once for each writable callback.
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RX_BYTES 65536

struct message {
    size_t refs;
    size_t len;
    enum lws_write_protocol kind;
    unsigned char head[LWS_PRE]; /* lws_write() puts the header before the payload */
    unsigned char payload[];
};

struct entry {
    struct entry *next;
    struct message *message;
};

struct session {
    struct session *next;
    struct lws *wsi;
    bool fanout;
    bool is_new_frame;        /* the next piece begins a frame */
    struct message *incoming; /* not complete yet */
    struct entry *first;
    struct entry **last;
};

static struct session *sessions;

static void message_unref(struct message *message) {
    if (message != NULL && --message->refs == 0) {
        free(message);
    }
}

static void queue(struct session *session, struct message *message) {
    struct entry *entry = malloc(sizeof *entry);
    if (entry == NULL) {
        abort();
    }
    *entry = (struct entry){.message = message};
    message->refs++;
    *session->last = entry;
    session->last = &entry->next;
    lws_callback_on_writable(session->wsi);
}

static void pop(struct session *session) {
    struct entry *entry = session->first;
    session->first = entry->next;
    if (session->first == NULL) {
        session->last = &session->first;
    }
    message_unref(entry->message);
    free(entry);
}

static void opened(struct session *session, struct lws *wsi) {
    char path[64] = "";
    (void)lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI);
    *session =
        (struct session){.next = sessions, .wsi = wsi, .fanout = strcmp(path, "/fanout") == 0};
    session->last = &session->first;
    sessions = session;
}

static void closed(struct session *session) {
    struct session **at = &sessions;
    while (*at != NULL && *at != session) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return; /* never opened */
    }
    *at = session->next;
    while (session->first != NULL) {
        pop(session);
    }
    message_unref(session->incoming);
}

static void complete(struct session *session) {
    struct message *message = session->incoming;
    session->incoming = NULL;
    if (!session->fanout) {
        queue(session, message);
    } else {
        for (struct session *other = sessions; other != NULL; other = other->next) {
            if (other != session && other->fanout) {
                queue(other, message);
            }
        }
    }
    message_unref(message);
}

static struct message *grow(struct message *message, size_t room) {
    message = realloc(message, sizeof *message + room);
    if (message == NULL) {
        abort();
    }
    return message;
}

static void received(struct session *session, const void *data, size_t len) {
    struct message *message = session->incoming;
    size_t rest = lws_remaining_packet_payload(session->wsi);
    if (message == NULL) {
        message = grow(NULL, len + rest); /* a frame's first piece tells how much will come */
        message->refs = 1;
        message->len = 0;
        message->kind = lws_frame_is_binary(session->wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    } else if (session->is_new_frame) {
        message = grow(message, message->len + len + rest);
    }
    memcpy(message->payload + message->len, data, len);
    message->len += len;
    session->incoming = message;
    session->is_new_frame = rest == 0;
    if (rest == 0 && lws_is_final_fragment(session->wsi)) {
        complete(session);
    }
}

static int writable(struct session *session) {
    while (session->first != NULL && !lws_partial_buffered(session->wsi)) {
        struct message *message = session->first->message;
        if (lws_write(session->wsi, message->payload, message->len, message->kind) < 0) {
            return -1;
        }
        pop(session);
    }
    if (session->first != NULL) {
        lws_callback_on_writable(session->wsi);
    }
    return 0;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len) {
    switch ((int)reason) {
    case LWS_CALLBACK_ESTABLISHED:
        opened(user, wsi);
        break;
    case LWS_CALLBACK_CLOSED:
        closed(user);
        break;
    case LWS_CALLBACK_RECEIVE:
        received(user, in, len);
        break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return writable(user);
    }
    return 0;
}

int main(int argc, char **argv) {
    static const struct lws_protocols protocols[] = {
        {.name = "bench",
         .callback = callback,
         .per_session_data_size = sizeof(struct session),
         .rx_buffer_size = RX_BYTES},
        {0},
    };
    static const struct lws_extension extensions[] = {
        {"permessage-deflate", lws_extension_callback_pm_deflate,
         "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
        {0},
    };
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: bench-peer-lws PORT [CERT KEY]\n");
        return 2;
    }
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context_creation_info info = {.port = (int)strtol(argv[1], NULL, 10),
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .pt_serv_buf_size = RX_BYTES,
                                             .gid = -1,
                                             .uid = -1};
    info.extensions = getenv("DEFLATE") == NULL ? NULL : extensions;
    if (argc == 4) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = argv[2];
        info.ssl_private_key_filepath = argv[3];
        info.tls1_3_plus_cipher_list = "TLS_AES_128_GCM_SHA256";
    }
    struct lws_context *context = lws_create_context(&info);
    while (context != NULL && lws_service(context, 0) >= 0) {
    }
    return 1;
}
