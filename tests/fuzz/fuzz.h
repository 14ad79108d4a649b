/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets share: checks, taking an input apart, a log to compare two runs by, and a
 * judge of what a machine writes. One thread. Nothing depends on anything but the input: random
 * bytes, which OpenSSL gives the library otherwise, are the same in every call (fuzz.c).
 */
#ifndef WRING_TESTS_FUZZ_H
#define WRING_TESTS_FUZZ_H

#include "core/base.h"
#include "wring/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A broken expectation aborts: that is what the fuzzer looks for. */
#define FUZZ_CHECK(x) ((x) ? (void)0 : fuzz_fail(#x, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *what, const char *file, int line);

extern const char *fuzz_running; /* the file replayed, for messages */

/* ---- the input, taken from the front; zeros behind its end ----------------------------------- */

uint8_t fuzz_u8(wring_bytes *in);
uint16_t fuzz_u16(wring_bytes *in);
/* At most `count` bytes. */
wring_bytes fuzz_take(wring_bytes *in, size_t count);

/* A copy of its own exact size, so that ASan sees each access past it. Free it. */
uint8_t *fuzz_copy(wring_bytes bytes);

/* Where the input has the rest of it cut: a count, then lengths less one, used in turn. No lengths
 * cut behind each byte. */
typedef struct fuzz_cuts {
    wring_bytes lengths;
    size_t next;
} fuzz_cuts;

fuzz_cuts fuzz_cuts_take(wring_bytes *in);
/* Length of the next piece, 1 to `left`. */
size_t fuzz_cuts_next(fuzz_cuts *cuts, size_t left);

/* ---- a log ----------------------------------------------------------------------------------- */

typedef struct fuzz_log {
    uint8_t *data;
    size_t len;
    size_t cap;
} fuzz_log;

void fuzz_log_bytes(fuzz_log *log, wring_bytes bytes);
void fuzz_log_u64(fuzz_log *log, uint64_t value);
/* A message, or an end, in a form that differs when anything of it differs. */
void fuzz_log_message(fuzz_log *log, const wring_message *message);
void fuzz_log_end(fuzz_log *log, const wring_end *end);
bool fuzz_log_equal(const fuzz_log *a, const fuzz_log *b);
void fuzz_log_free(fuzz_log *log);

/* ---- a machine ------------------------------------------------------------------------------- */

/* An open one, at 1 ns. */
wring_machine *fuzz_machine_open(wring_role role, const wring_session_config *session);
wring_end fuzz_machine_end(const wring_machine *machine);

/* ---- what a machine wrote -------------------------------------------------------------------- */

typedef struct fuzz_wire {
    fuzz_log pongs;    /* fuzz_log_message of each */
    fuzz_log messages; /* fuzz_log_message of each text and binary */
    size_t pings;
    bool closed; /* the last frame is a close */
    uint16_t close_code;
} fuzz_wire;

/* Reads `bytes`, written by the end `writer`, with a machine of the other role: every frame is
 * whole, legal, in its shortest form, and nothing follows a close. `cut` allows an unfinished frame
 * at the end. Free it with fuzz_wire_free. */
fuzz_wire fuzz_wire_read(wring_role writer, wring_bytes bytes, bool cut);
void fuzz_wire_free(fuzz_wire *wire);

/* RFC 3629, written unlike the library's validator. */
bool fuzz_is_utf8(wring_bytes text);

/* Appends one frame as a peer of the machine of role `reader` would send it. */
void fuzz_frame_write(fuzz_log *out, wring_role reader, uint8_t first, wring_bytes payload,
                      uint32_t key);

#endif
