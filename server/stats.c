/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of the workers' counters, read from any thread while they run. A counter is written by its
 * worker only, a word at a time: relaxed atomic loads see some recent value of each.
 */
#include "server/server.h"

static uint64_t peek(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void wring_server_get_stats(const wring_server *server, wring_server_stats *out) {
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < server->config.workers; i++) {
        const wring__server_worker *worker = &server->workers[i];
        const wring__worker_counters *counters = &worker->io.counters;
        out->accepted += peek(&counters->accepted);
        out->accept_errors += peek(&counters->accept_errors);
        out->closed += peek(&counters->closed);
        out->rx_bytes += peek(&counters->rx_bytes);
        out->tx_bytes += peek(&counters->tx_bytes);
        out->turns += peek(&counters->turns);
        out->mail_stale += peek(&counters->stale_mail);
        out->mail_lost += peek(&counters->lost_mail);
        out->reads_paused += peek(&counters->paused);
        out->congested += peek(&worker->counters.congested);
        out->dropped_newest += peek(&worker->counters.dropped_newest);
        out->dropped_oldest += peek(&worker->counters.dropped_oldest);
        out->dropped_replaced += peek(&worker->counters.dropped_replaced);
        out->memory_held += atomic_load_explicit(&worker->held, memory_order_relaxed);
        out->memory_stops += peek(&worker->counters.memory_stops);
        out->memory_evicted += peek(&worker->counters.memory_evicted);
        out->refused_memory += peek(&worker->counters.refused_memory);
        out->rate_ended += peek(&worker->counters.rate_ended);
        out->too_old += peek(&worker->counters.too_old);
        out->refused_total += peek(&worker->counters.refused_total);
        out->refused_source += peek(&worker->counters.refused_source);
        out->handshakes_evicted += peek(&worker->counters.handshakes_evicted);
        out->refused_tls_rate += peek(&worker->counters.refused_tls_rate);
        out->slow_ended += peek(&worker->counters.slow_ended);
        out->mail_refused += atomic_load_explicit(&worker->io.mailbox.full, memory_order_relaxed);
    }
    out->memory_held += wring__shared_bytes();
    wring__server_deflate_stats(server, out);
    out->connections = out->accepted > out->closed ? out->accepted - out->closed : 0;
}
