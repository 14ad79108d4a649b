/* SPDX-License-Identifier: Apache-2.0
 *
 * bench-decode: a server machine reading pipelined client frames, to be counted, not timed.
 *
 *     bench-decode session|payload text|binary LEN ROUNDS
 *
 * `session` feeds ROUNDS reads of 512 frames and takes every message; `payload` does only what has
 * to be done to the payloads. script/bench runs each under callgrind with two values of ROUNDS; the
 * difference, divided, is the number of instructions a frame without start-up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/kernels.h"
#include "wring/machine.h"

#define FRAMES           512
#define KEY              UINT32_C(0x84C2B1F7)
#define LEN_MOST         65535
#define FRAME_HEADER_MAX 14

static struct {
    wring_opcode opcode;
    size_t payload_len, header_len, frame_len;
    uint8_t *fresh, *read; /* what the peer sends; where it is received each round */
} bench;

static void die(const char *what) {
    fprintf(stderr, "bench-decode: %s\n", what);
    exit(1);
}

static void frames_create(void) {
    const size_t most = FRAME_HEADER_MAX + LEN_MOST;
    bench.fresh = malloc(FRAMES * most);
    bench.read = malloc(FRAMES * most);
    if (bench.fresh == NULL || bench.read == NULL) {
        die("no memory");
    }
    uint8_t *at = bench.fresh;
    for (size_t i = 0; i < FRAMES; i++) {
        bench.header_len = wring__frame_header_write(at, (uint8_t)(WRING__FIN | bench.opcode),
                                                     bench.payload_len, &(uint32_t){KEY});
        memset(at + bench.header_len, 'a' + (int)(i % 26), bench.payload_len);
        wring__mask(at + bench.header_len, bench.payload_len, KEY, 0);
        at += bench.header_len + bench.payload_len;
    }
    bench.frame_len = bench.header_len + bench.payload_len;
}

static void read_again(void) {
    memcpy(bench.read, bench.fresh, FRAMES * bench.frame_len);
}

static size_t round_machine(wring_machine *machine) {
    wring_event event;
    size_t messages = 0;
    wring_mut_bytes bytes = {bench.read, FRAMES * bench.frame_len};
    if (wring_machine_feed(machine, bytes, 0) != WRING_OK) {
        die("feed failed");
    }
    while (wring_machine_next(machine, &event) == WRING_OK) {
        if (event.kind != WRING_EVENT_MESSAGE || event.message.payload.len != bench.payload_len) {
            die("a frame was not understood");
        }
        messages++;
    }
    return messages;
}

static size_t round_payload(void) {
    uint8_t *at = bench.read + bench.header_len;
    size_t bad_at = 0, good = 0;
    for (size_t i = 0; i < FRAMES; i++, at += bench.frame_len) {
        if (bench.opcode == WRING_TEXT) {
            good += wring__unmask_utf8(0, at, at, bench.payload_len, KEY, &bad_at) == 0;
        } else {
            wring__mask(at, bench.payload_len, KEY, 0);
            good++;
        }
    }
    return good;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: bench-decode session|payload text|binary LEN ROUNDS\n");
        return 2;
    }
    const size_t rounds = strtoul(argv[4], NULL, 10);
    wring_machine *machine;
    bench.opcode = strcmp(argv[2], "text") == 0 ? WRING_TEXT : WRING_BINARY;
    bench.payload_len = strtoul(argv[3], NULL, 10);
    if (bench.payload_len > LEN_MOST) {
        die("LEN is 65535 at most");
    }
    frames_create();
    if (wring_machine_create(NULL, &machine, NULL) != WRING_OK ||
        wring_machine_open(machine, 0) != WRING_OK) {
        die("no machine");
    }
    size_t messages = 0;
    const bool whole = strcmp(argv[1], "session") == 0;
    for (size_t i = 0; i < rounds; i++) {
        read_again();
        messages += whole ? round_machine(machine) : round_payload();
    }
    wring_machine_destroy(machine);
    free(bench.fresh);
    free(bench.read);
    return messages == rounds * FRAMES ? 0 : 1;
}
