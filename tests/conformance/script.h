/* SPDX-License-Identifier: Apache-2.0
 *
 * A conformance case as what it puts on the wire and what must come back. Written against RFC 6455
 * and RFC 3629 alone: nothing here uses the library under test, its framing included.
 */
#ifndef WRING_TESTS_CONFORMANCE_SCRIPT_H
#define WRING_TESTS_CONFORMANCE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONT = 0x0, TEXT = 0x1, BINARY = 0x2, CLOSE = 0x8, PING = 0x9, PONG = 0xA };
enum { FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10 };

/* A message that must come back, in this order. */
struct want {
    uint8_t opcode;
    uint8_t *payload;
    size_t len;
};

enum script_end {
    END_CLOSED, /* the close handshake: the other side's close frame has `code` */
    END_FAILED, /* the connection is failed, with `code` in the close frame */
    END_ENDED,  /* without a close frame: the stream ends in order */
    END_RESET   /* by the tester */
};

struct script {
    bool masks;    /* the tester is the client */
    uint8_t *wire; /* all the tester sends */
    size_t len, cap;
    size_t chop; /* most bytes in one write; 0: no limit */
    size_t *syncs;
    size_t sync_count; /* before wire[syncs[i]] goes out, what was asked for until then has come */
    size_t *sync_wants;
    struct want *wants;
    size_t want_count;
    enum script_end end;
    bool ends_stream;       /* the tester's side ends with the last byte */
    uint32_t reset_code;    /* END_RESET */
    uint16_t code;          /* 0: a close frame without one */
    size_t want_compressed; /* messages that come back compressed, at least */
    uint64_t random;
};

typedef struct {
    const char *data;
    size_t len;
} text;
#define T(literal) ((text){literal, sizeof(literal) - 1})
text text_str(const char *s);
/* `len` bytes filled with `with`, good until the next call. */
text text_fill(size_t len, const char *with);

void script_init(struct script *s, bool masks, uint64_t seed);
void script_deinit(struct script *s);
uint64_t script_random(struct script *s);

/* Bytes as they are. */
void put_raw(struct script *s, const void *bytes, size_t len);
/* One frame: `first` is its first byte. */
void put_frame(struct script *s, unsigned first, text payload);
/* Only the first `len` bytes of the payload; the header tells of all. */
void put_frame_part(struct script *s, unsigned first, text payload, size_t len);
/* A frame whose mask bit is the wrong one for the tester's role. */
void put_frame_wrong_mask(struct script *s, unsigned first, text payload);
/* A frame with the length in the 16-bit form (2) or the 64-bit form (8), minimal or not. */
void put_header_long(struct script *s, unsigned first, unsigned form, uint64_t len);
void put_close(struct script *s, unsigned code, text reason);
/* A message in fragments of `size` bytes. */
void put_fragments(struct script *s, unsigned opcode, text payload, size_t size);
/* A message that must be echoed. */
void put_echo(struct script *s, unsigned opcode, text payload);
/* Waits for all that is wanted so far. */
void put_sync(struct script *s);

void want(struct script *s, unsigned opcode, text payload);
/* Ends the case: the tester closes with 1000 and is answered. */
void want_closed(struct script *s);
/* Ends the case: a close frame with this code answers the tester's. */
void want_close_answer(struct script *s, unsigned code);
void want_failed(struct script *s, unsigned code);
/* Of streams. The tester's side ends with the last byte of the script. */
void put_end(struct script *s);
/* Ends the case: the other side ends in order, without a close frame. */
void want_ended(struct script *s);
/* Ends the case: the tester resets the stream once it has sent all. */
void put_reset(struct script *s, uint32_t code);

struct test_case {
    char id[24];
    const char *what;
    void (*build)(struct script *s, const struct test_case *c);
    size_t a, b; /* what the build function makes of them */
    text data;
    const struct deflate_set *deflate; /* negotiated at the handshake; NULL: nothing */
    bool is_of_streams;                /* only over HTTP/2 */
};

/* The tables. Each family adds its cases. */
struct suite {
    struct test_case *cases;
    size_t count, cap;
};
struct test_case *suite_add(struct suite *suite, const char *id, const char *what,
                            void (*build)(struct script *, const struct test_case *));
void suite_add_framing(struct suite *suite);
void suite_add_fragments(struct suite *suite);
void suite_add_utf8(struct suite *suite);
void suite_add_close(struct suite *suite);
void suite_add_limits(struct suite *suite);
void suite_add_strict(struct suite *suite);
void suite_add_deflate(struct suite *suite);
void suite_add_streams(struct suite *suite);

#endif
