/* SPDX-License-Identifier: Apache-2.0
 *
 * The tester: sends a script in the wanted pieces, reads frames with a parser of its own, and
 * compares. The stream must end within a second of the other side's close frame.
 */
#include "tests/conformance/tester.h"

#include "tests/conformance/deflate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const cut_names[CUTS] = {"whole", "single bytes", "random cuts"};

/* Single bytes up to here; of longer scripts the first and the last of them, the middle by 1,021.
 */
#define BYTES_ALL  65536
#define BYTES_EDGE 4096
/* The same of compressed messages: where they are cut matters to few lines, and they are many. */
#define DEFLATE_BYTES_ALL  4096
#define DEFLATE_BYTES_EDGE 512

struct tester {
    struct script script;
    enum cut cut;
    size_t sent;
    uint8_t *in; /* received and not yet parsed: at most one frame */
    size_t in_len, in_cap;
    uint8_t *message; /* under assembly */
    size_t message_len, message_cap;
    uint8_t message_opcode;
    bool message_compressed;
    struct expander *expander; /* permessage-deflate was negotiated */
    size_t compressed_seen;
    size_t wants_seen;
    double closed_at;
    struct verdict verdict;
    bool failed;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((format(printf, 2, 3))) static void fail(struct tester *t, const char *format, ...) {
    if (!t->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(t->verdict.behaviour, sizeof t->verdict.behaviour, format, args);
        va_end(args);
        t->failed = true;
    }
}

/* ---- what comes back ---- */

static void message_came(struct tester *t, unsigned opcode, const uint8_t *data, size_t len) {
    if (t->wants_seen == t->script.want_count) {
        fail(t, "an unexpected message: opcode %u, %zu bytes", opcode, len);
        return;
    }
    const struct want *w = &t->script.wants[t->wants_seen++];
    if (w->opcode != opcode) {
        fail(t, "message %zu has opcode %u, not %u", t->wants_seen, opcode, w->opcode);
    } else if (w->len != len || (len > 0 && memcmp(w->payload, data, len) != 0)) {
        fail(t, "message %zu came back changed (%zu of %zu bytes)", t->wants_seen, len, w->len);
    }
}

static void whole_came(struct tester *t) {
    const uint8_t *data = t->message;
    size_t len = t->message_len;
    if (t->message_compressed) {
        t->compressed_seen++;
        data = expand(t->expander, t->message, t->message_len, &len);
        if (data == NULL) {
            fail(t, "message %zu does not inflate", t->wants_seen + 1);
            return;
        }
    }
    message_came(t, t->message_opcode, data, len);
}

/* RFC 7692 6: RSV1 on the first frame of a message, and nowhere else. */
static bool rsv_is_legal(const struct tester *t, unsigned first) {
    const unsigned rsv = first & 0x70, opcode = first & 15;
    return rsv == 0 || (rsv == RSV1 && t->expander != NULL && (opcode == TEXT || opcode == BINARY));
}

static void fragment_came(struct tester *t, unsigned first, const uint8_t *data, size_t len) {
    if (t->message_len + len > t->message_cap) {
        t->message_cap = (t->message_len + len) * 2;
        t->message = realloc(t->message, t->message_cap);
    }
    if (len > 0) {
        memcpy(t->message + t->message_len, data, len);
    }
    t->message_len += len;
    if ((first & 15) != CONT) {
        t->message_opcode = first & 15;
        t->message_compressed = (first & RSV1) != 0;
    }
    if (first & FIN) {
        whole_came(t);
        t->message_len = 0;
        t->message_opcode = 0;
    }
}

static void frame_came(struct tester *t, const uint8_t *frame, unsigned header_len, bool masked,
                       uint8_t *payload, size_t len) {
    const unsigned first = frame[0], opcode = first & 15;
    if (masked == t->script.masks) {
        fail(t, "a frame with the wrong mask bit");
        return;
    }
    for (size_t i = 0; masked && i < len; i++) {
        payload[i] ^= frame[header_len - 4 + (i & 3)];
    }
    if (t->verdict.closed) {
        fail(t, "a frame behind the close frame");
    } else if (!rsv_is_legal(t, first) || (opcode >= CLOSE && (len > 125 || !(first & FIN)))) {
        fail(t, "a frame that breaks RFC 6455: first byte %02x, %zu bytes", first, len);
    } else if (opcode == CLOSE) {
        t->verdict.closed = true;
        t->verdict.close_code = (uint16_t)(len >= 2 ? payload[0] << 8 | payload[1] : 0);
        t->closed_at = now();
    } else if (opcode == PING || opcode == PONG) {
        message_came(t, opcode, payload, len);
    } else if ((opcode == CONT) != (t->message_opcode != 0) || opcode > BINARY) {
        fail(t, "a frame out of place: opcode %u", opcode);
    } else {
        fragment_came(t, first, payload, len);
    }
}

/* Takes whole frames off the front of what was received. */
static void frames_take(struct tester *t) {
    size_t at = 0;
    while (!t->failed && t->in_len - at >= 2) {
        uint8_t *frame = t->in + at;
        const unsigned form = frame[1] & 127;
        const unsigned extended = form == 126 ? 2 : form == 127 ? 8 : 0;
        const bool masked = (frame[1] & 0x80) != 0;
        const unsigned header_len = 2 + extended + (masked ? 4 : 0);
        if (t->in_len - at < header_len) {
            break;
        }
        uint64_t len = extended == 0 ? form : 0;
        for (unsigned i = 0; i < extended; i++) {
            len = len << 8 | frame[2 + i];
        }
        if ((extended == 2 && len < 126) || (extended == 8 && len < 65536)) {
            fail(t, "a length that is not in its shortest form");
            return;
        }
        if (t->in_len - at - header_len < len) {
            break;
        }
        frame_came(t, frame, header_len, masked, frame + header_len, (size_t)len);
        at += header_len + (size_t)len;
    }
    memmove(t->in, t->in + at, t->in_len - at);
    t->in_len -= at;
}

/* ---- what goes out ---- */

/* The bytes of the next write: up to the next thing to wait for, cut as wanted. */
static size_t next_write(struct tester *t) {
    struct script *s = &t->script;
    size_t end = s->len;
    for (size_t i = 0; i < s->sync_count; i++) {
        if (s->syncs[i] >= t->sent && t->wants_seen < s->sync_wants[i]) {
            end = s->syncs[i];
            break;
        }
    }
    size_t len = end - t->sent;
    const size_t all = t->expander == NULL ? BYTES_ALL : DEFLATE_BYTES_ALL;
    size_t most = s->chop == 0 ? len : s->chop;
    if (t->cut == CUT_BYTES) {
        const size_t edge = t->expander == NULL ? BYTES_EDGE : DEFLATE_BYTES_EDGE;
        const bool at_edge = t->sent < edge || s->len - t->sent <= edge;
        most = s->len <= all || at_edge ? 1 : 1021;
    } else if (t->cut == CUT_RANDOM) {
        most = 1 + script_random(s) % (s->len > BYTES_ALL ? 40000 : s->len > all ? 2000 : 40);
    }
    return len < most ? len : most;
}

static void room_make(struct tester *t, size_t len) {
    if (t->in_cap - t->in_len < len) {
        t->in_cap = (t->in_len + len) * 2;
        t->in = realloc(t->in, t->in_cap);
    }
}

/* The stream is over. */
static void ended(struct tester *t, bool in_order, bool is_stream) {
    const bool may_be_silent = t->script.end == END_ENDED && in_order;
    if (!t->verdict.closed && !may_be_silent) {
        fail(t, "the stream %s without a close frame", in_order ? "ended" : "broke");
    } else if (is_stream && !in_order) {
        fail(t, "the stream broke behind the close frame");
    } else if (t->in_len > 0) {
        fail(t, "the stream ended inside a frame");
    }
}

/* Of streams. The tester's side ends: with the last byte, or after single bytes on its own. */
static void shut_if_due(struct tester *t, const struct link_ops *ops, void *link, size_t len) {
    const bool at_once = t->cut == CUT_BYTES || t->script.len == 0;
    const size_t sent = t->sent + (at_once ? 0 : len);
    if (t->script.ends_stream && sent == t->script.len) {
        ops->shut(link, at_once);
    }
}

static bool reset_is_due(const struct tester *t) {
    return t->script.end == END_RESET && t->sent == t->script.len &&
           t->wants_seen == t->script.want_count;
}

static void talk(struct tester *t, const struct link_ops *ops, void *link) {
    while (!reset_is_due(t)) {
        room_make(t, 65536);
        const size_t len = t->verdict.closed ? 0 : next_write(t);
        shut_if_due(t, ops, link, len);
        const struct moved moved =
            ops->move(link, t->script.wire + t->sent, len, t->in + t->in_len, 65536);
        t->sent += moved.sent;
        t->in_len += moved.received;
        frames_take(t);
        if (t->failed) {
            return;
        }
        if (moved.end || moved.reset) {
            ended(t, moved.end, ops->is_stream);
            return;
        }
        if (moved.timeout || (t->verdict.closed && now() - t->closed_at > 1)) {
            fail(t,
                 t->verdict.closed ? "the stream was not ended after the close frame"
                                   : "nothing more came, after %zu of %zu messages",
                 t->wants_seen, t->script.want_count);
            return;
        }
    }
}

static void judge(struct tester *t) {
    const struct script *s = &t->script;
    struct verdict *v = &t->verdict;
    if (t->failed) {
        return;
    }
    if (t->wants_seen < s->want_count) {
        fail(t, "%zu of %zu messages came", t->wants_seen, s->want_count);
    } else if (t->compressed_seen < s->want_compressed) {
        fail(t, "%zu of %zu messages came compressed", t->compressed_seen, s->want_compressed);
    } else if (v->close_code != s->code) {
        fail(t, "close code %u, not %u", v->close_code, s->code);
    } else {
        v->pass = true;
        static const char *const ends[] = {[END_CLOSED] = "closed in order",
                                           [END_FAILED] = "failed the connection",
                                           [END_ENDED] = "ended the stream in order",
                                           [END_RESET] = "went on with other streams"};
        snprintf(v->behaviour, sizeof v->behaviour, "%s%s",
                 s->want_count == 0   ? ""
                 : s->want_count == 1 ? "answered, then "
                                      : "answered all, then ",
                 ends[s->end]);
    }
}

struct verdict tester_run(const struct test_case *c, const struct link_ops *ops, enum cut cut,
                          uint64_t seed) {
    struct tester t = {.cut = cut};
    script_init(&t.script, ops->tester_is_client, seed);
    c->build(&t.script, c);
    link_deflate = c->deflate;
    t.expander = c->deflate == NULL ? NULL : expander_create(c->deflate);
    /* seed 0 is fair weather: megabytes through a pipe of one byte would take hours */
    void *link = ops->open(ops, t.script.len > BYTES_ALL ? 0 : seed);
    if (link == NULL) {
        fail(&t, "no connection");
    } else {
        talk(&t, ops, link);
        const char *wrong = t.failed || ops->end == NULL ? NULL
                            : t.script.end == END_RESET  ? ops->reset(link, t.script.reset_code)
                                                         : ops->end(link);
        if (wrong != NULL) {
            fail(&t, "%s", wrong);
        }
        ops->close(link);
    }
    judge(&t);
    script_deinit(&t.script);
    expander_destroy(t.expander);
    free(t.in);
    free(t.message);
    return t.verdict;
}
