/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of a peer, inflated: never beyond the limit, the same through a context of the
 * connection's own from any size of buffer and through one that was parked in between, the same
 * through the pool; and what was inflated, compressed by us, inflates to itself.
 *
 *     flags | window | limit (2) | messages: a length (2), then as many bytes
 */
#include <stdlib.h>

#include "proto/deflate.h"
#include "tests/fuzz/fuzz.h"

enum { FLAG_TAKEOVER = 1, FLAG_PARK = 2 };
#define MESSAGES_MAX 16
/* Once so many bytes were inflated no further message is: a run makes each of them by itself. */
#define INFLATED_MAX 65536

struct plan {
    uint8_t flags;
    uint8_t bits;
    uint64_t max;
    wring_bytes messages[MESSAGES_MAX];
    size_t count;
};

/* What became of each message, of both ways. */
struct outcome {
    wring_result results[MESSAGES_MAX];
    fuzz_log outs[MESSAGES_MAX];
    size_t count; /* an error ends a connection */
    size_t inflated;
};

static void outcome_free(struct outcome *o) {
    for (size_t i = 0; i < o->count; i++) {
        fuzz_log_free(&o->outs[i]);
    }
}

/* A peer that refers farther back than its window is found out only where zlib has no longer the
 * bytes it refers to, which depends on the room for output: unless the window is the largest. */
static void outcome_compare(const struct outcome *a, const struct outcome *b, uint8_t bits) {
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (bits < 15 && a->results[i] != b->results[i]) {
            return;
        }
        FUZZ_CHECK(a->results[i] == b->results[i]);
        FUZZ_CHECK(fuzz_log_equal(&a->outs[i], &b->outs[i]));
    }
    FUZZ_CHECK(a->count == b->count);
}

/* Returns whether the next message is inflated. */
static bool outcome_add(struct outcome *o, wring_result result, wring_bytes out) {
    FUZZ_CHECK(result == WRING_OK || result == WRING_ERR_BAD_DEFLATE ||
               result == WRING_ERR_INFLATE_TOO_BIG);
    o->results[o->count] = result;
    if (result == WRING_OK) {
        fuzz_log_bytes(&o->outs[o->count], out);
        o->inflated += out.len;
    }
    o->count++;
    return result == WRING_OK && o->inflated < INFLATED_MAX;
}

/* A message in calls that make `step` bytes each, or take a share of the input, the payload at
 * another place for each. */
static wring_result run_steps(wring__inflater *inflater, wring_bytes message, uint64_t max,
                              uint64_t step, wring__inflated *out) {
    size_t taken = 0;
    for (;;) {
        uint8_t *copy = fuzz_copy(message);
        const size_t before = out->len;
        const size_t taken_before = taken;
        wring_result result = wring__inflater_run(inflater, wring_bytes_of(copy, message.len),
                                                  &taken, max, step, out);
        free(copy);
        const bool made = out->len == before + step;
        const bool read = taken - taken_before >= step / WRING__INFLATE_INPUT;
        FUZZ_CHECK(result != WRING_MORE || made || (read && taken > taken_before));
        if (result != WRING_MORE) {
            return result;
        }
    }
}

/* A context by itself, from a buffer of `room` bytes, in steps of so many if they are not 0; parked
 * after each message if `park`. */
static struct outcome run_alone(const struct plan *plan, size_t room, bool park) {
    struct outcome o = {0};
    wring__inflater *inflater = wring__inflater_create(plan->bits, (wring_bytes){0});
    FUZZ_CHECK(inflater != NULL);
    for (size_t i = 0; i < plan->count; i++) {
        wring__inflated out = {room == 0 ? NULL : malloc(room), 0, room};
        wring_result result =
            run_steps(inflater, plan->messages[i], plan->max, room == 0 ? UINT64_MAX : room, &out);
        FUZZ_CHECK(result != WRING_OK || out.len <= plan->max);
        FUZZ_CHECK(out.len <= plan->max + 1 && out.cap <= room + plan->max + 1);
        const bool goes_on = outcome_add(&o, result, wring_bytes_of(out.data, out.len));
        free(out.data);
        if (!goes_on) {
            break;
        }
        if ((plan->flags & FLAG_TAKEOVER) == 0) {
            wring__inflater_reset(inflater);
        } else if (park) {
            uint8_t window[32768];
            const size_t len = wring__inflater_window(inflater, window);
            FUZZ_CHECK(len <= (size_t)1 << plan->bits);
            wring__inflater_destroy(inflater);
            inflater = wring__inflater_create(plan->bits, wring_bytes_of(window, len));
            FUZZ_CHECK(inflater != NULL);
        }
    }
    wring__inflater_destroy(inflater);
    return o;
}

static void round_trip(wring__deflate *d, wring_bytes payload) {
    const wring_frame frame = {
        .opcode = WRING_BINARY, .compress = WRING_COMPRESS_ALWAYS, .payload = payload};
    wring_bytes wire;
    FUZZ_CHECK(wring__deflate_message(d, &frame, &wire) == WRING_OK);
    FUZZ_CHECK((wire.len > 0) == (payload.len > 0));
    if (wire.len == 0) {
        return;
    }
    wring__inflater *inflater = wring__inflater_create(15, (wring_bytes){0});
    wring__inflated out = {0};
    size_t taken = 0;
    FUZZ_CHECK(wring__inflater_run(inflater, wire, &taken, payload.len, UINT64_MAX, &out) ==
               WRING_OK);
    FUZZ_CHECK(wring_bytes_equal(wring_bytes_of(out.data, out.len), payload));
    free(out.data);
    wring__inflater_destroy(inflater);
}

static wring__deflate *acquire(wring_deflate *pool, const struct plan *plan, bool takeover) {
    const wring_deflate_config config = {.struct_size = sizeof config,
                                         .inflated_bytes_max = plan->max == 0 ? 1 : plan->max,
                                         .inflate_turn_bytes = 1 + plan->flags / 8};
    wring_deflate_config adopted = {.struct_size = sizeof adopted};
    FUZZ_CHECK(wring_deflate_config_adopt(&config, &adopted, NULL) == WRING_OK);
    wring_deflate_params params = {15, plan->bits, true, !takeover, false};
    wring__deflate *d = wring__deflate_acquire(pool, &adopted, &params, WRING_ROLE_SERVER, false);
    FUZZ_CHECK(d != NULL);
    return d;
}

/* Over turns, each with a message of somebody else in it who may need an inflater as well. */
static wring_result inflate_over_turns(wring__deflate *d, const struct plan *plan,
                                       wring_bytes message, uint64_t *turn, wring__inflated *out) {
    static const uint8_t hi[] = {0xca, 0xc8, 0x04, 0x00};
    wring__inflation own = {0};
    wring_result result;
    for (;;) {
        const size_t before = own.out.len;
        const size_t taken = own.taken;
        wring__deflate_turn(d, plan, ++*turn);
        result = wring__deflate_inflate(d, plan, message, plan->max, &own);
        const bool made = own.out.len == before + d->turn_bytes;
        const bool read =
            own.taken > taken && (own.taken - taken) >= d->turn_bytes / WRING__INFLATE_INPUT;
        FUZZ_CHECK(result != WRING_MORE || made || read);
        if (result != WRING_MORE) {
            break;
        }
        if (!d->rx_takeover && plan->max >= 2) {
            wring__inflation other = {0};
            wring__deflate_turn(d, &other, *turn);
            wring_result between =
                wring__deflate_inflate(d, &other, wring_bytes_of(hi, sizeof hi), plan->max, &other);
            const uint64_t enough = sizeof hi * WRING__INFLATE_INPUT;
            FUZZ_CHECK(between == WRING_OK || (between == WRING_MORE && d->turn_bytes <= enough));
            FUZZ_CHECK(between != WRING_OK || memcmp(other.out.data, "hi", 2) == 0);
            if (between == WRING_OK) {
                wring__deflate_recycle(d, other.out.data, other.out.cap);
            } else {
                wring__deflate_abandon(d, &other);
            }
        }
    }
    *out = own.out;
    return result;
}

static struct outcome run_pool(const struct plan *plan) {
    struct outcome o = {0};
    wring_deflate *pool = wring__deflate_pool_create(NULL);
    FUZZ_CHECK(pool != NULL);
    wring__deflate *d = acquire(pool, plan, (plan->flags & FLAG_TAKEOVER) != 0);
    uint64_t turn = 0;
    for (size_t i = 0; i < plan->count; i++) {
        wring__inflated out;
        wring_result result = inflate_over_turns(d, plan, plan->messages[i], &turn, &out);
        const bool goes_on = outcome_add(&o, result, wring_bytes_of(out.data, out.len));
        if (result == WRING_OK) {
            round_trip(d, wring_bytes_of(out.data, out.len));
            wring__deflate_recycle(d, out.data, out.cap);
        }
        if (!goes_on) {
            break;
        }
    }
    wring__deflate_release(d);
    wring_deflate_destroy(pool);
    FUZZ_CHECK(wring__deflate_budget_used() == 0);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    struct plan plan = {.flags = fuzz_u8(&in), .bits = (uint8_t)(9 + fuzz_u8(&in) % 7)};
    plan.max = fuzz_u16(&in);
    while (in.len > 0 && plan.count < MESSAGES_MAX) {
        const uint16_t wanted = fuzz_u16(&in);
        plan.messages[plan.count++] = fuzz_take(&in, wanted);
    }
    /* without takeover the pool's inflater takes any window */
    plan.bits = (plan.flags & FLAG_TAKEOVER) != 0 ? plan.bits : 15;
    struct outcome first = run_alone(&plan, 0, false);
    struct outcome others[] = {run_alone(&plan, 1, false), run_alone(&plan, 3000, false),
                               run_alone(&plan, 17, (plan.flags & FLAG_PARK) != 0),
                               run_pool(&plan)};
    for (size_t i = 0; i < WRING_ARRAY_LEN(others); i++) {
        outcome_compare(&first, &others[i], plan.bits);
        outcome_free(&others[i]);
    }
    outcome_free(&first);
    return 0;
}
