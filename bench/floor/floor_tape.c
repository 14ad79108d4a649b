/* SPDX-License-Identifier: Apache-2.0
 *
 * The tape: what the floor sends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/floor/floor.h"

#define FANOUT_TAPE  ((size_t)32 << 20)
#define ECHO_RUN_MIN ((size_t)128 << 10)

/* A server's header (RFC 6455 5.2): binary, final, unmasked. */
static size_t header_write(uint8_t *out, uint8_t first, size_t len) {
    out[0] = first;
    if (len < 126) {
        out[1] = (uint8_t)len;
        return 2;
    }
    size_t bytes = len < 65536 ? 2 : 8;
    out[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++) {
        out[1 + bytes - i] = (uint8_t)((uint64_t)len >> (8 * i));
    }
    return 2 + bytes;
}

bool floor_tape_echo(struct floor_tape *tape, size_t message, size_t frame) {
    /* A run is ECHO_RUN_MIN long from any place within the first frame. */
    size_t frames = 1 + (ECHO_RUN_MIN + frame - 1) / frame;
    tape->data = calloc(frames, frame);
    if (tape->data == NULL) {
        return false;
    }
    for (size_t i = 0; i < frames; i++) {
        header_write(tape->data + i * frame, 0x82, message);
    }
    tape->size = frame;
    tape->run = (frames - 1) * frame;
    return true;
}

bool floor_tape_fanout(struct floor_tape *tape) {
    int fd = memfd_create("tape", 0);
    if (fd < 0 || ftruncate(fd, (off_t)FANOUT_TAPE) != 0) {
        return false;
    }
    uint8_t *at = mmap(NULL, 2 * FANOUT_TAPE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    const int protection = PROT_READ | PROT_WRITE;
    if (mmap(at, FANOUT_TAPE, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
        mmap(at + FANOUT_TAPE, FANOUT_TAPE, protection, MAP_SHARED | MAP_FIXED, fd, 0) ==
            MAP_FAILED) {
        return false;
    }
    close(fd);
    tape->data = at;
    tape->size = FANOUT_TAPE;
    tape->run = FANOUT_TAPE;
    return true;
}

void floor_tape_publish(struct floor_tape *tape, const uint8_t *frame, size_t len) {
    size_t short_len = frame[1] & 0x7f;
    size_t head = short_len < 126 ? 2 : short_len == 126 ? 4 : 10;
    const uint8_t *key = frame + head;
    const uint8_t *payload = key + 4;
    size_t payload_len = len - head - 4;

    uint8_t *out = tape->data + tape->end % tape->size;
    out += header_write(out, frame[0], payload_len);
    for (size_t i = 0; i < payload_len; i++) {
        out[i] = payload[i] ^ key[i & 3];
    }
    tape->end += len - 4;
}
