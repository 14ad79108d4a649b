/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of the workers' counters, read from any thread while they run. A counter is written by its
 * worker only, a word at a time: relaxed atomic loads see some recent value of each.
 */
#include "core/sized.h"
#include "server/server.h"

static void http2_add(const wring__h2_counters *http2, wring_server_stats *out) {
    const uint64_t taken = wring__count_read(&http2->connections);
    const uint64_t closed = wring__count_read(&http2->closed);
    out->http2_connections += taken > closed ? taken - closed : 0;
    out->http2_streams += wring__count_read(&http2->streams);
    out->http2_refused += wring__count_read(&http2->refused);
    out->http2_calmed += wring__count_read(&http2->calmed);
}

wring_result wring_server_get_stats(const wring_server *server, wring_server_stats *stats) {
    wring_server_stats full = {.struct_size = sizeof full};
    wring_server_stats *out = &full;
    if (stats->struct_size >= offsetof(wring_server_stats, deflate) + sizeof full.deflate) {
        full.deflate = stats->deflate; /* all else is only written */
    }
    if (wring__sized_give(stats, &full, sizeof full) != WRING_OK) { /* before it is followed */
        return WRING_ERR_INVALID_ARGUMENT;
    }
    uint64_t ended = 0;
    full = (wring_server_stats){.struct_size = sizeof full, .deflate = full.deflate};
    out->backend = server->group.picked;
    out->backend_reason = server->group.reason.text;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        const wring__server_worker *worker = &server->workers[i];
        const wring__worker_counters *counters = &worker->io.counters;
        out->accepted += wring__count_read(&counters->accepted);
        out->accept_errors += wring__count_read(&counters->accept_errors);
        const uint32_t last = __atomic_load_n(&worker->io.accept_errno, __ATOMIC_RELAXED);
        out->accept_errno = last != 0 ? last : out->accept_errno;
        out->closed += wring__count_read(&counters->closed);
        out->rx_bytes += wring__count_read(&counters->rx_bytes);
        out->tx_bytes += wring__count_read(&counters->tx_bytes);
        out->rx_messages += wring__count_read(&worker->io.messages.rx);
        out->tx_messages += wring__count_read(&worker->io.messages.tx);
        out->subscriptions += wring__count_read(&worker->topic_counts.subscriptions);
        out->topics += wring__count_read(&worker->topic_counts.topics);
        out->upgraded += wring__count_read(&worker->counters.upgraded);
        out->exchanges += wring__count_read(&worker->counters.exchanges);
        ended += wring__count_read(&worker->counters.sessions_ended);
        out->turns += wring__count_read(&counters->turns);
        out->mail_stale += wring__count_read(&counters->stale_mail);
        out->mail_lost += wring__count_read(&counters->lost_mail);
        out->reads_paused += wring__count_read(&counters->paused);
        out->congested += wring__count_read(&worker->counters.congested);
        out->dropped_newest += wring__count_read(&worker->counters.dropped_newest);
        out->dropped_oldest += wring__count_read(&worker->counters.dropped_oldest);
        out->dropped_replaced += wring__count_read(&worker->counters.dropped_replaced);
        out->memory_held_bytes += atomic_load_explicit(&worker->held, memory_order_relaxed);
        out->memory_stops += wring__count_read(&worker->counters.memory_stops);
        out->memory_evicted += wring__count_read(&worker->counters.memory_evicted);
        out->refused_memory += wring__count_read(&worker->counters.refused_memory);
        out->rate_ended += wring__count_read(&worker->counters.rate_ended);
        out->too_old += wring__count_read(&worker->counters.too_old);
        out->refused_total += wring__count_read(&worker->counters.refused_total);
        out->refused_source += wring__count_read(&worker->counters.refused_source);
        out->handshakes_evicted += wring__count_read(&worker->counters.handshakes_evicted);
        out->refused_tls_rate += wring__count_read(&worker->counters.refused_tls_rate);
        http2_add(&worker->http2, out);
        out->slow_ended += wring__count_read(&worker->counters.slow_ended);
        out->mail_refused += atomic_load_explicit(&worker->io.mail_refused, memory_order_relaxed);
    }
    out->memory_held_bytes += wring__shared_bytes();
    const wring_result result = wring__server_deflate_stats(server, out);
    out->sessions = out->upgraded > ended ? out->upgraded - ended : 0;
    out->connections = out->accepted > out->closed ? out->accepted - out->closed : 0;
    return result == WRING_OK ? wring__sized_give(stats, &full, sizeof full) : result;
}

uint64_t wring_server_refusals(const wring_server *server, wring_result reason) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < server->config.workers; i++) {
        sum += wring__refusals_read(&server->workers[i].refusals, reason);
    }
    return sum;
}
