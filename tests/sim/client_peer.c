/* SPDX-License-Identifier: Apache-2.0
 *
 * Servers that are wrong, each in one way: written by hand, so that nothing of the product is on
 * both ends. See client_test.h.
 */
#include <stdio.h>

#include "tests/sim/client_test.h"

const struct behaviour_facts behaviour_facts[PEER_COUNT] = {
#define PEER_FACTS(name, first, second, opens)                                                     \
    {#name, WRING_ERR_##first, WRING_ERR_##second, opens},
    PEER_BEHAVIOURS(PEER_FACTS)
#undef PEER_FACTS
};

void peer_init(struct peer *peer, client_world *world, uint16_t port) {
    memset(peer, 0, sizeof *peer);
    peer->world = world;
    peer->port = port;
    peer->only = -1;
    peer->socket = WRING__SOCKET_NONE;
    peer->listener = wring__sim_peer_listen(world->run.world, port);
}

static void drop(struct peer *peer, bool reset) {
    wring__sim_peer_close(peer->world->run.world, peer->socket, reset);
    peer->socket = WRING__SOCKET_NONE;
}

void peer_deinit(struct peer *peer) {
    if (peer->socket != WRING__SOCKET_NONE) {
        drop(peer, false);
    }
    wring__sim_peer_unlisten(peer->world->run.world, peer->listener);
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void say(struct peer *peer, const void *data, size_t len) {
    EXPECT(peer->out_len + len <= sizeof peer->out);
    memcpy(peer->out + peer->out_len, data, len);
    peer->out_len += len;
}

static void say_text(struct peer *peer, const char *text) {
    say(peer, text, strlen(text));
}

/* The answer to the request in peer->in, with the key's or another accept value, or none. */
static void say_101(struct peer *peer, const char *accept_of) {
    char accept[29];
    say_text(peer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\n");
    if (accept_of != NULL) {
        EXPECT(wring_h1_accept_key(wring_bytes_of(accept_of, 24), accept) == WRING_OK);
        say_text(peer, "Sec-WebSocket-Accept: ");
        say_text(peer, accept);
        say_text(peer, "\r\n");
    }
    say_text(peer, "\r\n");
}

static const char *request_key(const struct peer *peer) {
    static const char name[] = "Sec-WebSocket-Key: ";
    const char *at = memmem(peer->in, peer->in_len, name, sizeof name - 1);
    EXPECT(at != NULL);
    return at + sizeof name - 1;
}

static void say_message(struct peer *peer, unsigned number) {
    const uint8_t frame[] = {0x81, 2, 'm', (uint8_t)('0' + number)};
    say(peer, frame, sizeof frame);
}

static void say_close(struct peer *peer, unsigned code) {
    const uint8_t frame[] = {0x88, 2, (uint8_t)(code >> 8), (uint8_t)code};
    say(peer, frame, sizeof frame);
}

static void say_without_end(struct peer *peer) {
    static const char field[] = "X-More: and more of it\r\n";
    say_text(peer, "HTTP/1.1 101 Switching Protocols\r\n");
    while (peer->out_len <= PEER_HEAD_MAX) {
        say(peer, field, sizeof field - 1);
    }
}

/* The upgrade's answer and all that does not wait for the client. */
static void answer(struct peer *peer) {
    static const uint8_t masked[] = {0x81, 0x82, 1, 2, 3, 4, 'h', 'i'};
    static const uint8_t not_utf8[] = {0x81, 1, 0xFF};
    peer->answered = true;
    if (behaviour_facts[peer->behaviour].opens) {
        say_101(peer, request_key(peer));
    }
    switch (peer->behaviour) {
    case PEER_ENDS_WITHIN_THE_HEAD:
    case PEER_STOPS_WITHIN_THE_HEAD:
        say_101(peer, request_key(peer));
        peer->out_len = 40;
        break;
    case PEER_ANSWERS_ANOTHER_KEY:
        say_101(peer, "dGhlIHNhbXBsZSBub25jZQ==");
        break;
    case PEER_ANSWERS_NO_KEY:
        say_101(peer, NULL);
        break;
    case PEER_ANSWERS_503:
        say_text(peer, "HTTP/1.1 503 " PEER_REASON_503 "\r\nContent-Length: 0\r\n\r\n");
        break;
    case PEER_ANSWERS_WITHOUT_END:
        say_without_end(peer);
        break;
    case PEER_SPEAKS_ANOTHER_PROTOCOL:
        say_text(peer, "SSH-2.0-OpenSSH_9.2p1\r\n");
        break;
    case PEER_OPENS_AND_ENDS:
    case PEER_OPENS_AND_RESETS:
    case PEER_OPENS_AND_ECHOES_NO_CLOSE:
    case PEER_OPENS_AND_MASKS:
    case PEER_OPENS_WITH_BAD_UTF8:
    case PEER_OPENS_AND_CLOSES:
        say_message(peer, 0);
        say_message(peer, 1);
        break;
    case PEER_RESETS:
    case PEER_ENDS:
    case PEER_IS_SILENT:
    case PEER_OPENS_AND_IS_SILENT:
    case PEER_OPENS_AND_ANSWERS_PINGS_LATE:
    case PEER_COUNT:
        break;
    }
    if (peer->behaviour == PEER_OPENS_AND_MASKS) {
        say(peer, masked, sizeof masked);
    } else if (peer->behaviour == PEER_OPENS_WITH_BAD_UTF8) {
        say(peer, not_utf8, sizeof not_utf8);
    } else if (peer->behaviour == PEER_OPENS_AND_CLOSES) {
        say_close(peer, PEER_CLOSE);
    }
}

/* ---- what it does ---------------------------------------------------------------------------- */

static void welcome(struct peer *peer) {
    peer->socket = wring__sim_peer_accept(peer->world->run.world, peer->listener);
    if (peer->socket == WRING__SOCKET_NONE) {
        return;
    }
    static const enum behaviour unencrypted[] = {PEER_RESETS, PEER_ENDS, PEER_IS_SILENT,
                                                 PEER_SPEAKS_ANOTHER_PROTOCOL};
    const uint64_t pick = client_random(peer->world, peer->tls ? 4 : PEER_COUNT);
    peer->behaviour = peer->only >= 0 ? (enum behaviour)peer->only
                      : peer->tls     ? unencrypted[pick]
                                      : (enum behaviour)pick;
    peer->answered = false;
    peer->shut = false;
    peer->in_len = 0;
    peer->out_len = 0;
    peer->out_sent = 0;
    peer->pongs = 0;
    peer->pong_at = WRING_TIME_NEVER;
    if (peer->behaviour == PEER_RESETS) {
        drop(peer, true);
    }
}

static void pong_owe(struct peer *peer) {
    peer->pong_at = wring__sim_now(peer->world->run.world) + PEER_PONG_NS;
    wring__sim_alarm(peer->world->run.world, peer->pong_at);
}

/* The client sends pings without payload and a close frame; both are masked. */
static void frames_take(struct peer *peer) {
    while (peer->in_len >= 6) {
        const size_t len = 6 + (peer->in[1] & 0x7Fu);
        if (peer->in_len < len) {
            return;
        }
        if (peer->in[0] == 0x89) {
            EXPECT(len == 6);
            if (peer->pongs > 0) { /* not the answer, though it comes first */
                say_message(peer, peer->pongs - 1);
            }
            pong_owe(peer);
        }
        memmove(peer->in, peer->in + len, peer->in_len - len);
        peer->in_len -= len;
    }
}

static void hear(struct peer *peer) {
    bool end = false;
    bool reset = false;
    size_t room = sizeof peer->in - peer->in_len;
    peer->in_len += wring__sim_peer_recv(peer->world->run.world, peer->socket,
                                         peer->in + peer->in_len, room, &end, &reset);
    if (end || reset) {
        drop(peer, false);
        return;
    }
    if (!peer->answered) {
        const bool whole =
            peer->tls ? peer->in_len > 0 : memmem(peer->in, peer->in_len, "\r\n\r\n", 4) != NULL;
        if (whole) {
            answer(peer);
            peer->in_len = 0;
        }
    } else if (peer->behaviour == PEER_OPENS_AND_ANSWERS_PINGS_LATE) {
        frames_take(peer);
    } else {
        peer->in_len = 0;
    }
}

static void pong_when_due(struct peer *peer) {
    static const uint8_t pong[] = {0x8A, 0};
    if (peer->pong_at > wring__sim_now(peer->world->run.world)) {
        return;
    }
    peer->pong_at = WRING_TIME_NEVER;
    say(peer, pong, sizeof pong);
    if (++peer->pongs == PEER_PONGS) {
        say_close(peer, PEER_CLOSE);
    }
}

static void speak(struct peer *peer) {
    wring__sim *sim = peer->world->run.world;
    const size_t left = peer->out_len - peer->out_sent;
    if (left > 0) {
        const size_t part = 1 + (size_t)client_random(peer->world, left);
        peer->out_sent += wring__sim_peer_send(sim, peer->socket,
                                               wring_bytes_of(peer->out + peer->out_sent, part));
        return;
    }
    if (!peer->answered || peer->shut) {
        return;
    }
    if (peer->behaviour == PEER_OPENS_AND_RESETS) {
        drop(peer, true);
    } else if (peer->behaviour == PEER_ENDS || peer->behaviour == PEER_ENDS_WITHIN_THE_HEAD ||
               peer->behaviour == PEER_OPENS_AND_ENDS) {
        wring__sim_peer_shutdown(sim, peer->socket);
        peer->shut = true;
    }
}

void peer_step(struct peer *peer) {
    if (peer->socket == WRING__SOCKET_NONE) {
        welcome(peer);
    }
    if (peer->socket != WRING__SOCKET_NONE) {
        pong_when_due(peer);
        speak(peer);
    }
    if (peer->socket != WRING__SOCKET_NONE) {
        hear(peer);
    }
}
