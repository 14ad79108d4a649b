/* SPDX-License-Identifier: Apache-2.0
 *
 * When a connection with TLS is read and when it is not. For each reason to stop, small records
 * that come one by one are given no further. What had come by then is not lost: all of it is given
 * once the reason is over, without another receive.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "io/conn_tls.h"
#include "io/tls_internal.h"
#include "io/worker.h"
#include "tests/certs/certs.h"
#include "tests/unit/io/scripted.h"
#include "tests/unit/io/tls_pair.h"

#define RECORDS     40
#define RECORD_LEN  30 /* of plaintext: with its frame a record fits a receive buffer */
#define PAUSE_BYTES 3000

enum reason { FULL, HELD, BUDGET, YIELDED, REASONS };

static struct owner {
    wring__conn conn;
    enum reason reason;
    bool acts; /* on_rx stops the reading */
    bool is_done;
    unsigned received; /* bytes */
    unsigned eofs;
    wring_result failed;
} owner;

static wring__worker worker;
static wring__tls_context *server, *client;
static struct tls_end peer;

static void stop_reading(wring__conn *conn) {
    static const uint8_t answer[2 * PAUSE_BYTES];
    switch (owner.reason) {
    case FULL:
        cr_assert_eq(wring__outq_append(&conn->super.out, &worker.chunks,
                                        wring_bytes_of(answer, sizeof answer)),
                     WRING_OK);
        wring__end_flush(&conn->super);
        break;
    case HELD:
        wring__end_rx_stop(&conn->super, WRING__RX_STOP_PAUSED);
        break;
    case BUDGET:
        worker.rx_stopped = true;
        break;
    case YIELDED:
        wring__end_yield(&conn->super);
        break;
    case REASONS:
        break;
    }
}

static void on_rx(wring__endpoint *end, wring_mut_bytes bytes, wring__block *block) {
    (void)block;
    wring__conn *conn = wring__end_conn(end);
    for (size_t i = 0; i < bytes.len; i++) {
        cr_assert_eq(bytes.data[i], (uint8_t)(owner.received + i));
    }
    owner.received += (unsigned)bytes.len;
    if (owner.acts) {
        owner.acts = false;
        stop_reading(conn);
    }
}

static void on_eof(wring__endpoint *end) {
    wring__conn *conn = wring__end_conn(end);
    owner.eofs++;
    wring__conn_shut(conn);
}

static void on_failed(wring__endpoint *end, wring_result reason) {
    (void)end;
    owner.failed = reason;
}

static void on_resume(wring__endpoint *end) {
    wring__conn *conn = wring__end_conn(end);
    if (!owner.is_done) {
        wring__end_yield(&conn->super);
    }
}

static void on_nothing(wring__endpoint *end) {
    (void)end;
}

static const wring__end_ops conn_ops = {.name = "test",
                                        .rx = on_rx,
                                        .eof = on_eof,
                                        .failed = on_failed,
                                        .timer = on_nothing,
                                        .resume = on_resume,
                                        .closed = on_nothing};

static wring_result on_accepted(wring__worker *io, wring__socket socket) {
    wring_result result = wring__conn_open(&owner.conn, io, &conn_ops, socket);
    return result == WRING_OK
               ? wring__conn_secure(&owner.conn, server, NULL, NULL, wring_bytes_of(NULL, 0))
               : result;
}

static void on_worker_nothing(wring__worker *io) {
    (void)io;
}

static const wring__worker_ops worker_ops = {
    .name = "test", .accepted = on_accepted, .timer = on_worker_nothing};

static void turn(void) {
    cr_assert_eq(wring__worker_turn(&worker, WRING_TIME_NEVER), WRING_OK);
}

/* ---- the peer -------------------------------------------------------------------------------- */

static void peer_reads(void) {
    static size_t read;
    const wring_bytes sent = scripted_sent();
    read = sent.len < read ? 0 : read;
    if (sent.len > read) {
        end_feed(&peer, sent.data + read, sent.len - read);
        read = sent.len;
    }
}

/* Whatever our side has to send goes out. */
static void sends_end(void) {
    while (scripted_token(SCRIPTED_SEND) != 0) {
        scripted_end(SCRIPTED_SEND, (int32_t)scripted_send_len());
        turn();
    }
}

static void peer_sends(void) {
    size_t len;
    uint8_t *bytes = end_take(&peer, &len);
    for (size_t at = 0; at < len; at += SCRIPTED_BUFFER_SIZE) {
        const size_t piece = wring__min_size(len - at, SCRIPTED_BUFFER_SIZE);
        scripted_receive(wring_bytes_of(bytes + at, piece), true);
        turn();
    }
    free(bytes);
}

static void peer_writes(unsigned record) {
    uint8_t bytes[RECORD_LEN];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(record * RECORD_LEN + i);
    }
    end_write(&peer, bytes, sizeof bytes);
    peer_sends();
}

static void begin(void) {
    certs_make_usual();
    server = server_context((wring_tls_server_config){0});
    client = client_context((wring_tls_client_config){0});
    const wring__worker_config config = {.backend = &scripted_ops,
                                         .ops = &worker_ops,
                                         .connections_max = 1,
                                         .mailbox_items = 2,
                                         .pause_bytes = PAUSE_BYTES};
    memset(&owner, 0, sizeof owner);
    cr_assert_eq(wring__worker_init(&worker, &config, NULL), WRING_OK);
    wring__worker_listen(&worker, 3);
    scripted_accept(7, true);
    turn();
    wring__chunk_cache_init(&peer.chunks);
    const wring__tls_options options = {
        .out = &peer.out, .chunks = &peer.chunks, .server_name = "localhost"};
    cr_assert_eq(wring__tls_create(client, &options, &peer.tls), WRING_OK);
    cr_assert_eq(wring__tls_handshake(peer.tls), WRING_MORE);
    for (int i = 0; i < 3; i++) {
        peer_sends();
        sends_end();
        peer_reads();
    }
    cr_assert_eq(wring__tls_state_of(peer.tls), WRING__TLS_OPEN);
    cr_assert(!wring__end_is_stopped(&owner.conn.super));
}

static void end(void) {
    if (scripted_token(SCRIPTED_SHUTDOWN) != 0) {
        scripted_end(SCRIPTED_SHUTDOWN, 0);
        turn();
    }
    wring__conn_abort(&owner.conn);
    while (scripted_under_way() > (scripted_token(SCRIPTED_ACCEPT) != 0)) {
        for (int kind = SCRIPTED_RECV; kind <= SCRIPTED_CLOSE; kind++) {
            if (scripted_token((enum scripted_kind)kind) != 0) {
                scripted_end((enum scripted_kind)kind, kind == SCRIPTED_RECV ? -ECANCELED : 0);
            }
        }
        turn();
    }
    wring__worker_stop_listening(&worker);
    scripted_end(SCRIPTED_ACCEPT, -ECANCELED);
    scripted_end(SCRIPTED_CANCEL, 0);
    turn();
    cr_assert(wring__worker_is_quiet(&worker));
    cr_assert_eq(worker.chunks.held, 0);
    cr_assert_eq(scripted_buffers_home(), SCRIPTED_BUFFERS);
    wring__worker_deinit(&worker);
    wring__tls_destroy(peer.tls);
    wring__outq_deinit(&peer.out, &peer.chunks);
    wring__chunk_cache_deinit(&peer.chunks);
    free(peer.got);
    wring__tls_context_unref(server);
    wring__tls_context_unref(client);
}

/* ---- stopping and going on ------------------------------------------------------------------- */

static void go_on(void) {
    switch (owner.reason) {
    case FULL:
        sends_end();
        break;
    case HELD:
        wring__end_rx_go(&owner.conn.super, WRING__RX_STOP_PAUSED);
        break;
    case BUDGET:
        worker.rx_stopped = false;
        wring__end_rx_go(&owner.conn.super, WRING__RX_STOP_MEMORY);
        break;
    case YIELDED:
        owner.is_done = true;
        break;
    case REASONS:
        break;
    }
}

/* As the stop asked for. */
static void receive_ends(void) {
    scripted_end(SCRIPTED_RECV, -ECANCELED);
    scripted_end(SCRIPTED_CANCEL, 0);
    turn();
    cr_assert_eq(scripted_token(SCRIPTED_RECV), 0);
}

static void stop_and_go_on(enum reason reason, bool with_end) {
    begin();
    owner.reason = reason;
    owner.acts = true;
    for (unsigned i = 0; i < RECORDS; i++) {
        peer_writes(i); /* still comes: the receive's cancel has not ended it */
    }
    if (with_end) {
        wring__tls_shutdown(peer.tls);
        peer_sends();
    }
    cr_assert_eq(owner.received, RECORD_LEN, "reason %d: %u bytes", reason, owner.received);
    cr_assert(wring__end_is_stopped(&owner.conn.super) && owner.eofs == 0);
    cr_assert_geq(wring__conn_held(&owner.conn), (RECORDS - 1) * RECORD_LEN);
    cr_assert_eq(scripted_buffers_home(), SCRIPTED_BUFFERS); /* it pins none */
    receive_ends();
    go_on();
    for (int i = 0; i < 4; i++) {
        turn();
    }
    cr_assert_eq(owner.received, RECORDS * RECORD_LEN);
    cr_assert_eq(owner.eofs, with_end);
    if (!with_end) {
        peer_writes(RECORDS);
        cr_assert_eq(owner.received, (RECORDS + 1) * RECORD_LEN);
    }
    end();
}

Test(conn_tls, each_reason_to_stop_reading_holds_for_small_records) {
    for (int reason = FULL; reason < REASONS; reason++) {
        stop_and_go_on((enum reason)reason, false);
    }
}

Test(conn_tls, a_close_notify_that_came_while_nothing_was_read_is_told_last) {
    for (int reason = FULL; reason < REASONS; reason++) {
        stop_and_go_on((enum reason)reason, true);
    }
}

/* Half a record lies within OpenSSL, its rest comes while nothing is read. */
Test(conn_tls, a_record_cut_by_the_stop_is_whole_afterwards) {
    begin();
    owner.reason = HELD;
    owner.acts = true;
    size_t len;
    uint8_t bytes[2 * RECORD_LEN];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    end_write(&peer, bytes, RECORD_LEN);
    end_write(&peer, bytes + RECORD_LEN, RECORD_LEN);
    uint8_t *wire = end_take(&peer, &len);
    cr_assert(len < 2 * SCRIPTED_BUFFER_SIZE && len > SCRIPTED_BUFFER_SIZE + 10);
    scripted_receive(wring_bytes_of(wire, SCRIPTED_BUFFER_SIZE), true); /* and 12 of the second */
    turn();
    cr_assert_eq(owner.received, RECORD_LEN);
    scripted_receive(wring_bytes_of(wire + SCRIPTED_BUFFER_SIZE, len - SCRIPTED_BUFFER_SIZE), true);
    turn();
    free(wire);
    cr_assert_eq(owner.received, RECORD_LEN);
    receive_ends();
    go_on();
    turn();
    cr_assert_eq(owner.received, 2 * RECORD_LEN);
    end();
}

/* Of a broken stream everything is given, and then why. */
Test(conn_tls, what_waited_is_given_before_the_break_is_told) {
    begin();
    owner.reason = HELD;
    owner.acts = true;
    for (unsigned i = 0; i < 5; i++) {
        peer_writes(i);
    }
    cr_assert_eq(owner.received, RECORD_LEN);
    scripted_end(SCRIPTED_RECV, -ECONNRESET);
    turn();
    turn();
    cr_assert_eq(owner.received, 5 * RECORD_LEN);
    cr_assert_eq(owner.failed, WRING_ERR_TRANSPORT);
    end();
}

static void peer_updates_its_key(void) {
    cr_assert_eq(SSL_key_update(peer.tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    BIO_set_data(SSL_get_rbio(peer.tls->ssl), peer.tls);
    cr_assert_eq(SSL_do_handshake(peer.tls->ssl), 1);
    peer_sends();
}

/* By the worker's clock: a peer may do so for ever, but not as fast as it can. */
Test(conn_tls, key_updates_past_the_budget_end_the_connection) {
    begin();
    for (unsigned i = 0; i < 200; i++) {
        scripted_advance(WRING_NS_PER_SEC);
        peer_updates_its_key();
    }
    peer_writes(0);
    cr_assert_eq(owner.received, RECORD_LEN);
    unsigned count = 0;
    for (; owner.failed == WRING_OK && count < 200; count++) {
        peer_updates_its_key();
    }
    cr_assert_eq(owner.failed, WRING_ERR_TLS_EMPTY_RECORDS);
    cr_assert_leq(count, WRING__TLS_EMPTY_MAX + 1);
    end();
}
