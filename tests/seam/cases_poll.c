/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for descriptors of a library's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "tests/seam/seam.h"

#define NO_DESCRIPTORS "it has no descriptors: a poll there waits for its cancel"

static void poll_begin(seam *world, seam_op *op, int fd, uint32_t events) {
    world->ops->poll(world->backend, fd, events, seam_op_begin(world, op, SEAM_POLL));
}

static bool has(const seam_op *op, int32_t events) {
    return op->result > 0 && (op->result & events) != 0;
}

static void poll_wait(seam *world, const seam_op *op) {
    while (op->is_armed) {
        seam_step(world);
    }
}

static void pipe_close(const int *pipe_fds) {
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void poll_twice(seam *world) {
    static seam_op ops[3];
    int fds[2];
    memset(ops, 0, sizeof ops);
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    for (int round = 0; round < 20; round++) {
        char byte = 'x';
        poll_begin(world, &ops[0], fds[0], POLLIN);
        poll_begin(world, &ops[1], fds[0], POLLIN);
        seam_expect_quiet(world);
        CHECK(write(fds[1], &byte, 1) == 1);
        poll_wait(world, &ops[0]);
        poll_wait(world, &ops[1]);
        CHECK(has(&ops[0], POLLIN) && has(&ops[1], POLLIN));
        seam_expect_quiet(world);                   /* each waits once */
        poll_begin(world, &ops[2], fds[0], POLLIN); /* the byte is still there */
        poll_wait(world, &ops[2]);
        CHECK(has(&ops[2], POLLIN));
        CHECK(read(fds[0], &byte, 1) == 1);
    }
    pipe_close(fds);
}

static void poll_writable(seam *world) {
    static seam_op op;
    int fds[2];
    op = (seam_op){0};
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    poll_begin(world, &op, fds[1], POLLOUT);
    poll_wait(world, &op);
    CHECK(has(&op, POLLOUT));
    pipe_close(fds);
}

static void poll_cancel(seam *world) {
    static seam_op ops[2];
    static seam_op cancel;
    int fds[2];
    memset(ops, 0, sizeof ops);
    cancel = (seam_op){0};
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    for (int round = 0; round < 10; round++) {
        char byte = 'x';
        poll_begin(world, &ops[0], fds[0], POLLIN);
        poll_begin(world, &ops[1], fds[0], POLLIN);
        if (round % 2 == 0) {
            seam_expect_quiet(world);
        }
        seam_cancel(world, WRING__SOCKET_NONE, &ops[round % 3 == 0], &cancel);
        poll_wait(world, &cancel);
        poll_wait(world, &ops[round % 3 == 0]);
        CHECK(ops[round % 3 == 0].result == -ECANCELED && cancel.result == 0);
        CHECK(ops[round % 3 != 0].is_armed);
        CHECK(write(fds[1], &byte, 1) == 1);
        poll_wait(world, &ops[round % 3 != 0]);
        CHECK(has(&ops[round % 3 != 0], POLLIN));
        CHECK(read(fds[0], &byte, 1) == 1);
    }
    pipe_close(fds);
}

/* The other end is closed, and the descriptor itself, while it is waited for. */
static void poll_of_closed(seam *world) {
    static seam_op op;
    static seam_op cancel;
    int fds[2];
    op = (seam_op){0};
    cancel = (seam_op){0};
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    poll_begin(world, &op, fds[0], POLLIN);
    seam_expect_quiet(world);
    close(fds[1]);
    poll_wait(world, &op);
    CHECK(has(&op, (POLLHUP | POLLIN)));
    close(fds[0]);
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    poll_begin(world, &op, fds[0], POLLIN);
    seam_expect_quiet(world);
    close(fds[0]);
    seam_cancel(world, WRING__SOCKET_NONE, &op, &cancel);
    poll_wait(world, &op);
    poll_wait(world, &cancel);
    close(fds[1]);
    poll_begin(world, &op, fds[0], POLLIN); /* no such descriptor */
    poll_wait(world, &op);
    CHECK(op.result < 0 || (op.result & POLLNVAL) != 0);
}

static void poll_of_file(seam *world) {
    static seam_op op;
    op = (seam_op){0};
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    poll_begin(world, &op, fd, POLLIN);
    poll_wait(world, &op);
    CHECK(has(&op, POLLIN));
    close(fd);
}

/* In the simulated world a poll does nothing else. */
static void poll_waits_for_its_cancel(seam *world) {
    static seam_op op;
    static seam_op cancel;
    int fds[2];
    op = (seam_op){0};
    cancel = (seam_op){0};
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    poll_begin(world, &op, fds[0], POLLIN);
    seam_expect_quiet(world);
    seam_cancel(world, WRING__SOCKET_NONE, &op, &cancel);
    poll_wait(world, &op);
    poll_wait(world, &cancel);
    CHECK(op.result == -ECANCELED && cancel.result == 0);
    pipe_close(fds);
}

static const seam_case cases[] = {
    {.name = "poll_twice", .run = poll_twice, .not_simulated = NO_DESCRIPTORS},
    {.name = "poll_writable", .run = poll_writable, .not_simulated = NO_DESCRIPTORS},
    {.name = "poll_cancel", .run = poll_cancel, .not_simulated = NO_DESCRIPTORS},
    {.name = "poll_of_closed", .run = poll_of_closed, .not_simulated = NO_DESCRIPTORS},
    {.name = "poll_of_file", .run = poll_of_file, .not_simulated = NO_DESCRIPTORS},
    {.name = "poll_waits_for_its_cancel", .run = poll_waits_for_its_cancel},
};

seam_cases seam_cases_poll(void) {
    return (seam_cases){cases, WRING_ARRAY_LEN(cases)};
}
