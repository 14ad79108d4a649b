/* SPDX-License-Identifier: Apache-2.0
 *
 * Long messages: received where they are assembled, answered from where they lie.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/kernels.h"
#include "proto/machine.h"

#define LEN 200000

/* A server machine like a worker's: parts of its own, and a block that the bytes fed lie in. */
struct fixture {
    wring__machine_common common;
    wring__chunk_cache cache;
    wring__outq out;
    wring_machine machine;
    wring__block fed;
    wring__block *lent; /* &fed: the bytes of the feeds to come may be kept; NULL: not */
    uint8_t *frame;     /* header and payload, masked with zeroes */
    size_t header_len;
    size_t frame_len;
};

static void on_fed_released(wring__block *block) {
    (void)block;
}

static struct fixture *begin(wring_role role, size_t len) {
    struct fixture *f = calloc(1, sizeof *f);
    wring_session_config adopted;
    wring_error error;
    cr_assert_eq(wring__session_config_adopt(NULL, &adopted, &error), WRING_OK);
    wring__chunk_cache_init(&f->cache);
    wring__machine_common_init(&f->common, role, &adopted, &f->cache);
    wring__machine_init(&f->machine, &f->common, &f->out);
    cr_assert_eq(wring_machine_open(&f->machine, 1), WRING_OK);
    const uint32_t key = 0;
    f->frame = malloc(len + 14);
    f->header_len = wring__frame_header_write(f->frame, WRING__FIN | WRING_BINARY, len,
                                              role == WRING_ROLE_SERVER ? &key : NULL);
    f->frame_len = f->header_len + len;
    for (size_t i = 0; i < len; i++) {
        f->frame[f->header_len + i] = (uint8_t)(i * 7 >> 3);
    }
    f->fed = (wring__block){
        .data = f->frame, .cap = f->frame_len, .refs = 1, .released = on_fed_released};
    return f;
}

static void end(struct fixture *f) {
    wring__outq_deinit(&f->out, &f->cache);
    wring__machine_deinit(&f->machine);
    wring__machine_common_deinit(&f->common);
    wring__chunk_cache_deinit(&f->cache);
    cr_assert_eq(f->fed.refs, 1);
    free(f->frame);
    free(f);
}

static wring_result feed(struct fixture *f, uint8_t *data, size_t len, wring_event *event) {
    wring_mut_bytes bytes = {data, len};
    cr_assert_eq(wring__machine_feed(&f->machine, bytes, f->lent, 1), WRING_OK);
    return wring_machine_next(&f->machine, event);
}

static void expect_message(const struct fixture *f, const wring_event *event) {
    const size_t len = f->frame_len - f->header_len;
    cr_assert_eq(event->kind, WRING_EVENT_MESSAGE);
    cr_assert_eq(event->message.payload.len, len);
    cr_assert_arr_eq(event->message.payload.data, f->frame + f->header_len, len);
}

/* The first send in the queue: one run of header and the message's own bytes. */
static void expect_reference(const struct fixture *f, const uint8_t *payload, size_t len) {
    struct iovec iov[2];
    uint8_t header[14];
    cr_assert_eq(wring__outq_gather(&f->out, iov, 2), 1);
    size_t header_len = wring__frame_header_write(header, WRING__FIN | WRING_BINARY, len, NULL);
    cr_assert_eq(iov[0].iov_base, payload - header_len);
    cr_assert_eq(iov[0].iov_len, header_len + len);
    cr_assert_arr_eq(iov[0].iov_base, header, header_len);
}

static void reply(struct fixture *f, wring_opcode opcode, const uint8_t *data, size_t len) {
    wring_frame frame = {.opcode = opcode, .payload = wring_bytes_of(data, len)};
    cr_assert_eq(wring_machine_send(&f->machine, &frame), WRING_OK);
}

/* Feeds the head by value and the rest through the machine's own room. */
static uint8_t *feed_in_place(struct fixture *f, size_t head, size_t step, wring_event *event) {
    wring_result result = feed(f, f->frame, head, event);
    for (size_t have = head; result == WRING_MORE;) {
        const size_t received = have - f->header_len;
        cr_assert_eq(wring__machine_rx_missing(&f->machine), f->frame_len - have);
        wring__block *block = wring__machine_rx_room(&f->machine);
        cr_assert_not_null(block);
        cr_assert_leq(f->machine.rx->assembly_cap, 2 * received + 70000, "%zu for %zu",
                      f->machine.rx->assembly_cap, received);
        size_t len = wring__min_size(block->len, step);
        cr_assert(len > 0 && len <= f->frame_len - have);
        memcpy(block->data + block->at, f->frame + have, len);
        have += len;
        result = feed(f, block->data + block->at, len, event);
    }
    cr_assert_eq(result, WRING_OK);
    cr_assert_eq(wring__machine_rx_missing(&f->machine), 0);
    return (uint8_t *)(uintptr_t)event->message.payload.data;
}

Test(machine_long, a_frame_is_received_where_it_is_assembled) {
    static const size_t heads[] = {14, 15, 5000, LEN + 13};
    static const size_t steps[] = {1 << 20, 65536, 999};
    for (size_t i = 0; i < WRING_ARRAY_LEN(heads); i++) {
        for (size_t j = 0; j < WRING_ARRAY_LEN(steps); j++) {
            struct fixture *f = begin(WRING_ROLE_SERVER, LEN);
            wring_event event;
            uint8_t *payload = feed_in_place(f, heads[i], steps[j], &event);
            expect_message(f, &event);
            reply(f, WRING_BINARY, payload, LEN);
            expect_reference(f, payload, LEN);
            cr_assert_eq(wring_machine_next(&f->machine, &event), WRING_MORE);
            cr_assert_null(f->machine.rx); /* idle: it holds nothing */
            expect_reference(f, payload, LEN);
            /* the next message does not touch what is queued */
            (void)feed_in_place(f, heads[i], steps[j], &event);
            expect_message(f, &event);
            wring__outq_consume(&f->out, &f->cache, f->out.bytes);
            end(f);
        }
    }
}

Test(machine_long, a_message_whole_in_its_buffer_is_answered_from_there) {
    static const size_t lens[] = {512, 4096, 65535, 65536};
    for (size_t i = 0; i < WRING_ARRAY_LEN(lens); i++) {
        struct fixture *f = begin(WRING_ROLE_SERVER, lens[i]);
        wring_event event;
        f->lent = &f->fed;
        cr_assert_eq(feed(f, f->frame, f->frame_len, &event), WRING_OK);
        expect_message(f, &event);
        reply(f, WRING_BINARY, event.message.payload.data, lens[i]);
        expect_reference(f, f->frame + f->header_len, lens[i]);
        cr_assert_eq(f->fed.refs, 2);
        end(f);
    }
}

static void expect_copy(size_t offset, size_t len, bool fed, wring_role role) {
    struct fixture *f = begin(role, 10000);
    wring_event event;
    f->lent = fed ? &f->fed : NULL;
    cr_assert_eq(feed(f, f->frame, f->frame_len, &event), WRING_OK);
    reply(f, WRING_BINARY, event.message.payload.data + offset, len);
    cr_assert_eq(f->fed.refs, 1);
    expect_message(f, &event);
    end(f);
}

Test(machine_long, what_is_not_the_very_message_is_copied) {
    expect_copy(0, 9999, true, WRING_ROLE_SERVER);
    expect_copy(1, 9999, true, WRING_ROLE_SERVER);
    expect_copy(0, 10000, false, WRING_ROLE_SERVER); /* the bytes are only lent for the feed */
    expect_copy(0, 10000, true, WRING_ROLE_CLIENT);  /* its answer has to be masked */
}

Test(machine_long, a_second_answer_is_a_copy_with_a_header_of_its_own) {
    struct fixture *f = begin(WRING_ROLE_SERVER, 5000);
    wring_event event;
    struct iovec iov[3];
    f->lent = &f->fed;
    cr_assert_eq(feed(f, f->frame, f->frame_len, &event), WRING_OK);
    reply(f, WRING_BINARY, event.message.payload.data, 5000);
    reply(f, WRING_TEXT, event.message.payload.data, 5000);
    cr_assert_eq(wring__outq_gather(&f->out, iov, 3), 2);
    cr_assert_eq(*(uint8_t *)iov[0].iov_base, WRING__FIN | WRING_BINARY);
    cr_assert_eq(*(uint8_t *)iov[1].iov_base, WRING__FIN | WRING_TEXT);
    cr_assert_arr_eq((uint8_t *)iov[0].iov_base + 4, (uint8_t *)iov[1].iov_base + 4, 5000);
    end(f);
}

Test(machine_long, a_header_that_came_before_leaves_no_room_in_the_buffer) {
    for (size_t cut = 1; cut <= 8; cut++) {
        struct fixture *f = begin(WRING_ROLE_SERVER, 5000);
        wring_event event;
        uint8_t head[8];
        memcpy(head, f->frame, cut);
        cr_assert_eq(feed(f, head, cut, &event), WRING_MORE);
        f->lent = &f->fed;
        f->fed.data = f->frame + cut;
        f->fed.cap = f->frame_len - cut;
        cr_assert_eq(feed(f, f->frame + cut, f->frame_len - cut, &event), WRING_OK);
        reply(f, WRING_BINARY, event.message.payload.data, 5000);
        cr_assert_eq(f->fed.refs, cut <= 4 ? 2 : 1, "%zu", cut); /* four bytes are needed */
        expect_message(f, &event);
        end(f);
    }
}

/* The block is shared: what lies before the bytes fed may be another connection's. */
Test(machine_long, an_answer_never_writes_before_what_was_fed) {
    for (size_t cut = 1; cut <= 8; cut++) {
        struct fixture *f = begin(WRING_ROLE_SERVER, 5000);
        wring_event event;
        uint8_t before[8], head[8];
        f->lent = &f->fed;
        memcpy(head, f->frame, cut);
        cr_assert_eq(feed(f, head, cut, &event), WRING_MORE);
        memset(f->frame, 0x5A, cut);
        memcpy(before, f->frame, cut);
        cr_assert_eq(feed(f, f->frame + cut, f->frame_len - cut, &event), WRING_OK);
        reply(f, WRING_BINARY, event.message.payload.data, 5000);
        cr_assert_arr_eq(f->frame, before, cut);
        cr_assert_eq(f->fed.refs, cut <= 4 ? 2 : 1, "%zu", cut);
        end(f);
    }
}

Test(machine_long, an_answer_from_outside_the_callback_is_a_copy) {
    struct fixture *f = begin(WRING_ROLE_SERVER, 5000);
    wring_event event;
    f->lent = &f->fed;
    cr_assert_eq(feed(f, f->frame, f->frame_len, &event), WRING_OK);
    const uint8_t *payload = event.message.payload.data;
    cr_assert_eq(wring_machine_next(&f->machine, &event), WRING_MORE);
    reply(f, WRING_BINARY, payload, 5000);
    cr_assert_eq(f->fed.refs, 1);
    end(f);
}

Test(machine_long, a_machine_that_ends_leaves_the_room_to_the_receive_under_way) {
    struct fixture *f = begin(WRING_ROLE_SERVER, LEN);
    wring_event event;
    cr_assert_eq(feed(f, f->frame, 5000, &event), WRING_MORE);
    wring__block *block = wring__block_ref(wring__machine_rx_room(&f->machine));
    wring_machine_fail(&f->machine, WRING_ERR_TRANSPORT);
    cr_assert_eq(wring_machine_next(&f->machine, &event), WRING_OK);
    cr_assert_eq(event.kind, WRING_EVENT_END);
    cr_assert_eq(wring__machine_rx_missing(&f->machine), 0);
    cr_assert_null(wring__machine_rx_room(&f->machine));
    memset(block->data + block->at, 1, block->len); /* the kernel may still write to it */
    wring__block_unref(block);
    end(f);
}

/* ---- bursts ---------------------------------------------------------------------------------- */

static const size_t burst[] = {600, 2000, 512, 65000, 700, 20, 900, 511, 512};

/* Text and binary frames of these lengths back to back, each with a key of its own. */
static uint8_t *burst_write(size_t *len) {
    uint8_t *frames = malloc(200000);
    size_t at = 0;
    for (size_t i = 0; i < WRING_ARRAY_LEN(burst); i++) {
        const uint32_t key = 0x01020408u * (uint32_t)(i + 1);
        const unsigned opcode = i % 2 == 0 ? WRING_TEXT : WRING_BINARY;
        at +=
            wring__frame_header_write(frames + at, (uint8_t)(WRING__FIN | opcode), burst[i], &key);
        memset(frames + at, 'a' + (int)i, burst[i]);
        wring__mask(frames + at, burst[i], key, 0);
        at += burst[i];
    }
    *len = at;
    return frames;
}

/* A machine that is fed from a block with the burst in it. */
static struct fixture *begin_burst(size_t *len) {
    struct fixture *f = begin(WRING_ROLE_SERVER, 1);
    free(f->frame);
    f->frame = burst_write(len);
    f->fed.data = f->frame;
    f->fed.cap = *len;
    f->lent = &f->fed;
    return f;
}

static void expect_answers(const struct fixture *f, uint32_t skipped) {
    uint8_t *got = malloc(f->out.bytes);
    struct iovec iov[32];
    size_t count = wring__outq_gather(&f->out, iov, 32), at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(got + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    cr_assert_eq(at, f->out.bytes);
    at = 0;
    for (size_t i = 0; i < WRING_ARRAY_LEN(burst); i++) {
        if ((skipped >> i & 1) != 0) {
            continue;
        }
        uint8_t header[14];
        const unsigned opcode = i % 2 == 0 ? WRING_TEXT : WRING_BINARY;
        const size_t header_len =
            wring__frame_header_write(header, (uint8_t)(WRING__FIN | opcode), burst[i], NULL);
        cr_assert_arr_eq(got + at, header, header_len, "%zu", i);
        for (size_t j = 0; j < burst[i]; j++) {
            cr_assert_eq(got[at + header_len + j], 'a' + (int)i, "%zu at %zu", i, j);
        }
        at += header_len + burst[i];
    }
    cr_assert_eq(at, f->out.bytes);
    free(got);
}

/* Bit i of `skipped`: message i gets no answer. Answers the rest; returns the number of runs. */
static size_t burst_echo(uint32_t skipped) {
    size_t len;
    wring_event event;
    struct fixture *f = begin_burst(&len);
    wring_result result = feed(f, f->frame, len, &event);
    for (size_t i = 0; i < WRING_ARRAY_LEN(burst); i++) {
        cr_assert_eq(result, WRING_OK);
        cr_assert_eq(event.message.payload.len, burst[i]);
        if ((skipped >> i & 1) == 0) {
            reply(f, event.message.opcode, event.message.payload.data, burst[i]);
        }
        result = wring_machine_next(&f->machine, &event);
    }
    cr_assert_eq(result, WRING_MORE);
    expect_answers(f, skipped);
    struct iovec iov[32];
    const size_t runs = wring__outq_gather(&f->out, iov, 32);
    end(f);
    return runs;
}

Test(machine_long, the_answers_to_a_burst_are_one_run_of_bytes) {
    /* 20 and 511 bytes are copied; they part the run */
    cr_assert_eq(burst_echo(0), 5);
    for (uint32_t skipped = 1; skipped < 1u << WRING_ARRAY_LEN(burst); skipped++) {
        (void)burst_echo(skipped);
    }
}

Test(machine_long, an_answer_from_its_assembly_begins_no_burst) {
    size_t len;
    wring_event event;
    struct fixture *f = begin_burst(&len);
    cr_assert_eq(feed(f, f->frame, 300, &event), WRING_MORE);
    wring_result result = feed(f, f->frame + 300, len - 300, &event);
    for (size_t i = 0; i < WRING_ARRAY_LEN(burst); i++) {
        cr_assert_eq(result, WRING_OK);
        const uint8_t *payload = event.message.payload.data;
        cr_assert_eq(payload >= f->frame && payload<f->frame + len, i> 0, "%zu", i);
        reply(f, event.message.opcode, payload, burst[i]);
        result = wring_machine_next(&f->machine, &event);
    }
    expect_answers(f, 0);
    end(f);
}

Test(machine_long, a_burst_ends_with_what_was_fed) {
    size_t len;
    wring_event event;
    struct fixture *f = begin_burst(&len);
    const size_t first = 8 + burst[0];
    cr_assert_eq(feed(f, f->frame, first, &event), WRING_OK);
    reply(f, WRING_TEXT, event.message.payload.data, burst[0]);
    cr_assert_eq(wring_machine_next(&f->machine, &event), WRING_MORE);
    /* the bytes behind may be another machine's: nothing is put before them */
    cr_assert_eq(feed(f, f->frame + first, 8 + burst[1], &event), WRING_OK);
    cr_assert_eq(event.message.payload.data, f->frame + first + 8);
    end(f);
}
