/* SPDX-License-Identifier: Apache-2.0
 *
 * The pump and its worker against a backend that ends operations in every order and with every
 * result: teardown, late completions, short sends, odd accepts, buffers.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

#include "tests/sim/backend/sim.h"
#include "io/worker.h"
#include "tests/unit/io/scripted.h"

static struct owner {
    wring__conn conn;
    unsigned opened;
    unsigned received; /* bytes */
    unsigned eofs;
    unsigned failures;
    unsigned closed;
} owner;

static wring__worker worker;
static wring__conn spare; /* of one too many */

static void on_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    (void)block;
    (void)end;
    owner.received += (unsigned)bytes.len;
}

static void on_eof(wring__endpoint *end) {
    owner.eofs++;
    wring__end_shut(end);
}

static void on_failed(wring__endpoint *end, wring_result reason) {
    (void)end;
    cr_assert_eq(reason, WRING_ERR_TRANSPORT);
    owner.failures++;
}

static void on_timer(wring__endpoint *end) {
    (void)end;
}

static void on_conn_mail(wring__endpoint *end, const wring__mail *mail) {
    (void)end;
    (void)mail;
}

static void on_closed(wring__endpoint *end) {
    (void)end;
    owner.closed++;
}

static const wring__end_ops conn_ops = {.name = "test",
                                        .rx = on_rx,
                                        .eof = on_eof,
                                        .failed = on_failed,
                                        .timer = on_timer,
                                        .mail = on_conn_mail,
                                        .closed = on_closed};

static wring_result on_accepted(wring__worker *io, wring__socket socket) {
    wring__conn *conn = io->conn_count == 0 ? &owner.conn : &spare;
    wring_result result = wring__conn_open(conn, io, &conn_ops, socket);
    owner.opened += result == WRING_OK;
    return result;
}

static void on_mail(wring__worker *io, const wring__mail *mail) {
    (void)io;
    (void)mail;
}

static void on_worker_timer(wring__worker *io) {
    (void)io;
}

static const wring__worker_ops worker_ops = {
    .name = "test", .accepted = on_accepted, .mail = on_mail, .timer = on_worker_timer};

static void turn(void) {
    cr_assert_eq(wring__worker_turn(&worker, WRING_TIME_NEVER), WRING_OK);
}

static void begin(void) {
    const wring__worker_config config = {
        .backend = &scripted_ops, .ops = &worker_ops, .connections_max = 1, .mailbox_items = 2};
    memset(&owner, 0, sizeof owner);
    cr_assert_eq(wring__worker_init(&worker, &config, NULL), WRING_OK);
    wring__worker_listen(&worker, 3);
}

static void connect_one(void) {
    scripted_accept(7, true);
    turn();
    cr_assert(scripted_token(SCRIPTED_RECV) != 0);
}

static void end(void) {
    wring__worker_stop_listening(&worker);
    if (scripted_token(SCRIPTED_ACCEPT) != 0) {
        scripted_end(SCRIPTED_ACCEPT, -ECANCELED);
        scripted_end(SCRIPTED_CANCEL, 0);
    }
    turn();
    cr_assert(wring__worker_is_quiet(&worker));
    cr_assert_eq(scripted_buffers_home(), SCRIPTED_BUFFERS);
    wring__worker_deinit(&worker);
}

static void queue(wring_bytes bytes) {
    cr_assert_eq(wring__outq_append(&owner.conn.super.out, &worker.chunks, bytes), WRING_OK);
    wring__end_flush(&owner.conn.super);
}

/* ---- teardown -------------------------------------------------------------------------------- */

/* Ends the receive by the number of its result. */
static void recv_end(unsigned variant) {
    static const int32_t results[] = {-ECANCELED, 0, -ECONNRESET};
    if (variant < WRING_ARRAY_LEN(results)) {
        scripted_end(SCRIPTED_RECV, results[variant]);
    } else if (variant == 3) {
        scripted_receive(wring_str("late"), false);
    } else {
        scripted_receive(wring_str("late"), true); /* and then its end */
        scripted_end(SCRIPTED_RECV, -ECANCELED);
    }
}

static void op_end(unsigned op, unsigned recv, unsigned send, unsigned cancel) {
    static const int32_t sends[] = {-ECANCELED, -EPIPE, 2, 5};
    static const int32_t cancels[] = {0, -ENOENT, -EALREADY};
    switch (op) {
    case 0:
        recv_end(recv);
        break;
    case 1:
        scripted_end(SCRIPTED_SEND, sends[send]);
        break;
    case 2:
        scripted_end(SCRIPTED_SHUTDOWN, 0);
        break;
    default:
        scripted_end(SCRIPTED_CANCEL, cancels[cancel]);
    }
}

static void teardown_once(const unsigned order[4], unsigned variant, bool one_turn) {
    begin();
    connect_one();
    queue(wring_str("hello"));
    turn();
    cr_assert(scripted_token(SCRIPTED_SEND) != 0);
    wring__end_abort(&owner.conn.super);
    turn();
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(scripted_token(SCRIPTED_CLOSE), 0); /* not before all have ended */
        op_end(order[i], variant % 5, variant / 5 % 4, variant / 20);
        if (!one_turn) {
            turn();
        }
    }
    turn();
    cr_assert(scripted_token(SCRIPTED_CLOSE) != 0);
    cr_assert_eq(owner.closed, 0);
    scripted_end(SCRIPTED_CLOSE, 0);
    turn();
    cr_assert_eq(owner.closed, 1);
    cr_assert_eq(owner.received + owner.eofs + owner.failures, 0); /* its owner had let go */
    cr_assert_eq(worker.conn_count, 0);
    end();
}

Test(conn, is_torn_down_once_whatever_the_order_and_the_results) {
    for (unsigned p = 0; p < 256; p++) {
        const unsigned order[4] = {p & 3, p >> 2 & 3, p >> 4 & 3, p >> 6 & 3};
        if ((1u << order[0] | 1u << order[1] | 1u << order[2] | 1u << order[3]) != 15) {
            continue;
        }
        for (unsigned variant = 0; variant < 60; variant++) {
            teardown_once(order, variant, false);
            teardown_once(order, variant, true);
        }
    }
}

/* ---- late completions ------------------------------------------------------------------------ */

static void end_by_reset(void) {
    scripted_end(SCRIPTED_RECV, -ECONNRESET);
    turn(); /* told, torn down, nothing owed: closing */
    scripted_end(SCRIPTED_CLOSE, 0);
    turn();
}

Test(conn, a_slot_used_100000_times_never_takes_what_was_another_s) {
    uint64_t stale = 0;
    begin();
    for (unsigned life = 1; life <= 100000; life++) {
        connect_one();
        if (stale != 0) {
            scripted_stray(stale, 4, wring_str("late"));
            scripted_stray(stale, -ECONNRESET, wring_bytes_of(NULL, 0));
            turn();
            cr_assert_eq(worker.counters.stale_completions, 2 * (life - 1));
            cr_assert_eq(scripted_buffers_home(), SCRIPTED_BUFFERS);
        }
        cr_assert_eq(owner.received, 0);
        cr_assert_eq(owner.failures, life - 1);
        stale = scripted_token(SCRIPTED_RECV);
        end_by_reset();
        cr_assert_eq(owner.closed, life);
    }
    cr_assert_eq(worker.slots.count, 1); /* one slot, all the time */
    end();
}

/* ---- sending --------------------------------------------------------------------------------- */

static void send_in_pieces(const uint8_t *want, size_t len, size_t most) {
    size_t piece = 0;
    while (scripted_token(SCRIPTED_SEND) != 0) {
        const size_t left = len - scripted_sent().len;
        piece = piece % most + 1;
        scripted_end(SCRIPTED_SEND, (int32_t)wring__min_size(piece, left));
        turn();
    }
    cr_assert_eq(scripted_sent().len, len);
    cr_assert_arr_eq(scripted_sent().data, want, len);
}

Test(conn, short_sends_are_resumed_where_they_stopped) {
    static uint8_t want[6000];
    for (size_t i = 0; i < sizeof want; i++) {
        want[i] = (uint8_t)(i * 31 + i / 256);
    }
    for (size_t most = 1; most < 3000; most = most * 3 + 1) {
        begin();
        connect_one();
        wring__shared *shared = wring__shared_create(2, 0, wring_bytes_of(want + 2000, 2000));
        queue(wring_bytes_of(want, 2000)); /* a chunk, one by reference, a chunk */
        cr_assert_eq(wring__outq_append_shared(&owner.conn.super.out, &worker.chunks, shared),
                     WRING_OK);
        queue(wring_bytes_of(want + 4000, 2000));
        wring__shared_unref(shared);
        turn();
        send_in_pieces(want, sizeof want, most);
        end_by_reset();
        end();
    }
}

/* In steps: a worker that was not run for long takes its own time for lost. */
static void seconds_pass(unsigned seconds) {
    for (unsigned i = 0; i < 20 * seconds; i++) {
        scripted_advance(50 * WRING_NS_PER_MS);
        turn();
    }
}

/* What is queued when our side ends may take long to send: to a slow peer, but one that reads. */
Test(conn, the_last_bytes_have_time_for_as_long_as_they_move) {
    begin();
    connect_one();
    queue(wring_str("0123456789"));
    wring__conn_shut(&owner.conn);
    turn();
    for (int i = 0; i < 5; i++) {
        seconds_pass(8);
        cr_assert_eq(owner.conn.super.state, WRING__END_DRAINING);
        scripted_end(SCRIPTED_SEND, 1);
        turn();
    }
    seconds_pass(21); /* nothing more is taken */
    cr_assert_eq(owner.conn.super.state, WRING__END_TEARDOWN);
    scripted_end(SCRIPTED_SEND, -EPIPE);
    scripted_end(SCRIPTED_RECV, -ECANCELED);
    turn();
    for (int i = 0; i < 3 && scripted_under_way() > 1; i++) {
        if (scripted_token(SCRIPTED_SHUTDOWN) != 0) {
            scripted_end(SCRIPTED_SHUTDOWN, 0);
        } else if (scripted_token(SCRIPTED_CANCEL) != 0) {
            scripted_end(SCRIPTED_CANCEL, 0);
        } else if (scripted_token(SCRIPTED_CLOSE) != 0) {
            scripted_end(SCRIPTED_CLOSE, 0);
        }
        turn();
    }
    cr_assert_eq(owner.closed, 1);
    end();
}

/* ---- sending at once ------------------------------------------------------------------------- */

static void begin_at_once(bool known) {
    begin();
    scripted_sends_at_once(known);
    connect_one();
}

static void end_at_once(void) {
    cr_assert_eq(worker.at_once.count, 0);
    end_by_reset();
    cr_assert_eq(owner.closed, 1);
    end();
}

Test(conn, a_send_that_took_all_needs_no_turn_of_its_own) {
    begin_at_once(true);
    queue(wring_str("hello"));
    turn();
    cr_assert(scripted_is_at_once());
    scripted_took_all();
    turn(); /* submits it and sleeps: whatever wakes it finds the send done */
    cr_assert_eq(scripted_deadline(), WRING_TIME_NEVER);
    cr_assert_eq(wring__end_unsent(&owner.conn.super), 0);
    cr_assert_eq(worker.counters.tx_bytes, 5);
    queue(wring_str(" there"));
    turn();
    cr_assert(scripted_is_at_once());
    scripted_took_all();
    turn();
    cr_assert_arr_eq(scripted_sent().data, "hello there", 11);
    end_at_once();
}

static void send_twice(int32_t result) {
    begin_at_once(true);
    queue(wring_str("hello"));
    turn();
    cr_assert(scripted_is_at_once());
    scripted_end(SCRIPTED_SEND, result);
    turn();
    cr_assert(scripted_token(SCRIPTED_SEND) != 0 && !scripted_is_at_once()); /* it waits for room */
    cr_assert_eq(wring__end_unsent(&owner.conn.super), result < 0 ? 5 : 5 - (uint64_t)result);
    queue(wring_str(" there"));
    turn();
    scripted_end(SCRIPTED_SEND, result < 0 ? 5 : 5 - result);
    turn();
    cr_assert(!scripted_is_at_once()); /* not yet empty */
    scripted_end(SCRIPTED_SEND, 6);
    turn();
    queue(wring_str("!"));
    turn();
    cr_assert(scripted_is_at_once());
    scripted_took_all();
    turn();
    cr_assert_arr_eq(scripted_sent().data, "hello there!", 12);
    end_at_once();
}

Test(conn, a_send_at_once_that_found_no_room_is_followed_by_one_that_waits) {
    send_twice(-EAGAIN);
    for (int32_t taken = 1; taken < 5; taken++) {
        send_twice(taken);
    }
}

Test(conn, a_send_at_once_that_fails_breaks_the_stream) {
    begin_at_once(true);
    queue(wring_str("hello"));
    turn();
    scripted_end(SCRIPTED_SEND, -EPIPE);
    turn();
    cr_assert_eq(owner.failures, 1);
    cr_assert_eq(worker.at_once.count, 0);
    scripted_end(SCRIPTED_RECV, -ECANCELED);
    scripted_end(SCRIPTED_CANCEL, 0);
    turn();
    scripted_end(SCRIPTED_CLOSE, 0);
    turn();
    cr_assert_eq(owner.closed, 1);
    end();
}

Test(conn, sends_at_once_are_taken_as_done_only_when_that_is_known) {
    for (int fails = 0; fails < 2; fails++) {
        begin_at_once(false);
        queue(wring_str("hello"));
        turn();
        turn(); /* its completion may still come */
        cr_assert_eq(wring__end_unsent(&owner.conn.super), 5);
        if (fails) {
            scripted_end(SCRIPTED_SEND, 2);
            turn();
            cr_assert_eq(worker.at_once.count, 0); /* also when nothing is known of others */
            scripted_end(SCRIPTED_SEND, 3);
        } else {
            scripted_took_all();
            scripted_sends_at_once(true);
        }
        turn();
        cr_assert_eq(wring__end_unsent(&owner.conn.super), 0);
        cr_assert_arr_eq(scripted_sent().data, "hello", 5);
        end_at_once();
    }
}

Test(conn, the_worker_looks_at_once_when_something_waits_for_the_end_of_a_send) {
    begin_at_once(true);
    queue(wring_str("hello"));
    turn();
    cr_assert(scripted_is_at_once());
    wring__conn_shut(&owner.conn); /* between two turns: the end of our side follows the bytes */
    scripted_took_all();
    turn();
    cr_assert_eq(scripted_deadline(), 0);
    cr_assert(scripted_token(SCRIPTED_SHUTDOWN) != 0);
    scripted_end(SCRIPTED_SHUTDOWN, 0);
    scripted_end(SCRIPTED_RECV, 0);
    turn();
    scripted_end(SCRIPTED_CLOSE, 0);
    turn();
    cr_assert_eq(owner.closed, 1);
    end();
}

Test(conn, a_send_whose_end_is_waited_for_is_not_sent_at_once) {
    static uint8_t many[40000];
    begin_at_once(true);
    owner.conn.super.tell_drained = true; /* the owner wants to know */
    queue(wring_str("hello"));
    turn();
    cr_assert(!scripted_is_at_once());
    owner.conn.super.tell_drained = false;
    scripted_end(SCRIPTED_SEND, 5);
    turn();
    queue(wring_bytes_of(many, sizeof many)); /* longer than may be held while the worker sleeps */
    turn();
    cr_assert(!scripted_is_at_once());
    scripted_end(SCRIPTED_SEND, sizeof many);
    turn();
    queue(wring_str("hello"));
    wring__conn_shut(&owner.conn); /* before it is sent */
    turn();
    cr_assert(!scripted_is_at_once());
    scripted_end(SCRIPTED_SEND, 5);
    turn();
    scripted_end(SCRIPTED_SHUTDOWN, 0);
    scripted_end(SCRIPTED_RECV, 0);
    turn();
    scripted_end(SCRIPTED_CLOSE, 0);
    turn();
    end();
}

/* ---- accepting ------------------------------------------------------------------------------- */

Test(conn, accepting_goes_on_after_whatever_it_returned) {
    static const int32_t odd[] = {-ECONNABORTED, -EPROTO, -EINTR,       -EAGAIN,
                                  -EPERM,        -EINVAL, -EHOSTUNREACH};
    begin();
    for (size_t i = 0; i < WRING_ARRAY_LEN(odd); i++) {
        scripted_end(SCRIPTED_ACCEPT, odd[i]);
        turn();
        cr_assert(scripted_token(SCRIPTED_ACCEPT) != 0, "after %d", odd[i]);
        scripted_accept(0,
                        false); /* descriptor 0 is one like any other; and the end for no reason */
        turn();
        cr_assert(scripted_token(SCRIPTED_ACCEPT) != 0);
        cr_assert_eq(owner.opened, i + 1);
        end_by_reset();
    }
    cr_assert_eq(worker.counters.accept_errors, WRING_ARRAY_LEN(odd));
    end();
}

static const int32_t exhausted[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};

Test(conn, accepting_rests_when_there_is_no_descriptor_left) {
    begin();
    for (size_t i = 0; i < WRING_ARRAY_LEN(exhausted); i++) {
        scripted_end(SCRIPTED_ACCEPT, exhausted[i]);
        turn();
        turn();
        cr_assert_eq(scripted_token(SCRIPTED_ACCEPT), 0);
        scripted_advance(200 * WRING_NS_PER_MS);
        turn();
        cr_assert(scripted_token(SCRIPTED_ACCEPT) != 0);
    }
    end();
}

Test(conn, accepting_that_only_ever_fails_does_not_spin) {
    unsigned tries = 0;
    begin();
    for (; tries < 100 && scripted_token(SCRIPTED_ACCEPT) != 0; tries++) {
        scripted_end(SCRIPTED_ACCEPT, -EBADF);
        turn();
    }
    cr_assert_lt(tries, 100);
    scripted_advance(200 * WRING_NS_PER_MS);
    turn();
    scripted_accept(5, true); /* and it recovers */
    turn();
    cr_assert_eq(owner.opened, 1);
    end_by_reset();
    scripted_end(SCRIPTED_ACCEPT, -EBADF);
    turn();
    cr_assert(scripted_token(SCRIPTED_ACCEPT) != 0);
    end();
}

/* The backend goes on by itself after an error of one connection. */
Test(conn, errors_that_do_not_end_accepting_rest_as_well) {
    begin();
    for (unsigned i = 0; i < 16; i++) {
        cr_assert_eq(scripted_token(SCRIPTED_CANCEL), 0);
        scripted_accept(-EPERM, true);
        turn();
    }
    cr_assert(scripted_token(SCRIPTED_CANCEL) != 0);
    scripted_accept(-EPERM, true); /* one more was under way */
    turn();
    scripted_end(SCRIPTED_ACCEPT, -ECANCELED);
    scripted_end(SCRIPTED_CANCEL, 0);
    turn();
    cr_assert_eq(scripted_token(SCRIPTED_ACCEPT), 0);
    scripted_advance(200 * WRING_NS_PER_MS);
    turn();
    cr_assert(scripted_token(SCRIPTED_ACCEPT) != 0);
    cr_assert_eq(worker.counters.accept_errors, 17);
    cr_assert_eq(worker.accept_errno, EPERM);
    end();
}

Test(conn, what_was_accepted_before_the_end_of_listening_is_taken) {
    begin();
    wring__worker_stop_listening(&worker);
    scripted_accept(7, true); /* beside the cancel */
    turn();
    cr_assert_eq(owner.opened, 1);
    scripted_end(SCRIPTED_ACCEPT, -ECANCELED);
    scripted_end(SCRIPTED_CANCEL, 0);
    turn();
    cr_assert_eq(worker.listener, WRING__SOCKET_NONE);
    end_by_reset();
    end();
}

Test(conn, a_descriptor_that_is_none_ends_alone) {
    static const int32_t bad[] = {-EBADF, -ENOTCONN, -ENOTSOCK};
    begin();
    for (unsigned i = 0; i < WRING_ARRAY_LEN(bad); i++) {
        connect_one();
        scripted_end(SCRIPTED_RECV, bad[i]);
        turn();
        cr_assert_eq(owner.failures, i + 1);
        scripted_end(SCRIPTED_CLOSE, -EBADF);
        turn();
        cr_assert_eq(owner.closed, i + 1);
    }
    end();
}

Test(conn, one_too_many_is_closed_and_nobody_else_hurt) {
    begin();
    connect_one();
    scripted_accept(8, true);
    turn();
    cr_assert_eq(owner.opened, 1);
    scripted_end(SCRIPTED_CLOSE, 0); /* the second one's */
    turn();
    cr_assert_eq(owner.closed, 0);
    scripted_receive(wring_str("still here"), true);
    turn();
    cr_assert_eq(owner.received, 10);
    end_by_reset();
    end();
}

/* ---- buffers --------------------------------------------------------------------------------- */

Test(conn, a_receive_without_buffers_is_armed_again) {
    begin();
    connect_one();
    for (int i = 0; i < 10; i++) {
        scripted_end(SCRIPTED_RECV, -ENOBUFS);
        turn();
        cr_assert(scripted_token(SCRIPTED_RECV) != 0);
    }
    cr_assert_eq(worker.counters.buffers_exhausted, 10);
    cr_assert_eq(owner.failures, 0);
    end_by_reset();
    end();
}

Test(conn, a_buffer_returned_twice_aborts_in_the_simulator, .signal = SIGABRT) {
    const wring__sim_config config = {.seed = 1};
    wring__sim *sim = wring__sim_create(&config);
    const wring__backend_config backend_config = {.buffer_count = 2, .context = sim};
    wring__backend *backend;
    const uint16_t buffer = 1;
    cr_assert_eq(wring__backend_sim.open(&backend_config, &backend, NULL), WRING_OK);
    backend->ops->buffers_return(backend, &buffer, 1); /* it never was away */
}
