/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges that race: clients that send request behind request, in pieces, leave at any moment or
 * stop in the middle; handlers that answer at once, later, from elsewhere, twice or never;
 * deadlines and a drain between all that. Each request has an id, and its answer has the same.
 */
#include <stdio.h>

#include "server/http.h"
#include "tests/sim/http.h"

http_world http_now;
static http_world *const w = &http_now;

uint64_t http_random(uint64_t bound) {
    return wring__sim_random(w->run.world, bound);
}

uint8_t http_byte(unsigned id, size_t at) {
    return (uint8_t)(id * 31 + at * 7 + (at >> 8) * 13 + 1);
}

void http_body_look(const http_ask *ask, size_t at, wring_bytes piece) {
    for (size_t i = 0; i < piece.len; i++) {
        EXPECT(piece.data[i] == http_byte(ask->id, at + i));
    }
}

/* Kept or borrowed, a request says the same until `done`. */
void http_request_look(const wring_exchange *exchange, const http_ask *ask) {
    const wring_request *request = wring_exchange_request(exchange);
    wring_bytes text;
    EXPECT(wring_bytes_equal(request->path, wring_str(http_paths[ask->kind])));
    EXPECT(wring_bytes_equal(request->query, wring_str("q=1")));
    EXPECT(wring_bytes_equal(request->host, wring_str("sim")));
    EXPECT(wring_headers_get(request->headers, "x-last", &text) &&
           wring_bytes_equal(text, wring_str("here")));
    if (ask->kind <= HTTP_INFO) {
        EXPECT(request->body.len == ask->body_len);
        http_body_look(ask, 0, request->body);
    }
}

void http_job_add(unsigned what, unsigned id, wring_ref ref, uint64_t within_ms) {
    EXPECT(w->job_count < HTTP_JOBS_MAX);
    const wring_time_ns at =
        wring__sim_now(w->run.world) + http_random(within_ms) * WRING_NS_PER_MS;
    w->jobs[w->job_count++] = (http_job){what, id, ref, at};
    wring__sim_alarm(w->run.world, at);
}

/* The other threads: whatever is due may be done now, in any order. */
static void jobs_run(void) {
    for (unsigned i = 0; i < w->job_count;) {
        const http_job job = w->jobs[i];
        if (job.at > wring__sim_now(w->run.world)) {
            wring__sim_alarm(w->run.world, job.at);
            i++;
        } else if (http_random(3) == 0) {
            i++;
        } else {
            w->jobs[i] = w->jobs[--w->job_count];
            http_job_run(&job);
        }
    }
}

static bool jobs_are_due(void) {
    for (unsigned i = 0; i < w->job_count; i++) {
        if (w->jobs[i].at <= wring__sim_now(w->run.world)) {
            return true;
        }
    }
    return false;
}

bool http_jobs_run(void) {
    jobs_run();
    return jobs_are_due();
}

static void round_run(void) {
    const uint64_t before = wring__sim_activity(w->run.world);
    bool waits = true;
    jobs_run();
    sim_run_workers(&w->run);
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        http_client *client = &w->clients[i];
        http_client_step(client);
        waits &= client->is_over || client->waits_until > wring__sim_now(w->run.world) ||
                 client->out_sent == client->out_len || client->has_shut;
        if (client->waits_until > wring__sim_now(w->run.world)) {
            wring__sim_alarm(w->run.world, client->waits_until);
        }
    }
    if (before == wring__sim_activity(w->run.world) && waits && !jobs_are_due()) {
        (void)wring__sim_advance(w->run.world);
    }
}

static bool is_over(void) {
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        if (!w->clients[i].is_over) {
            return false;
        }
    }
    return true;
}

/* ---- what all seeds together show ------------------------------------------------------------ */

static struct {
    uint64_t whole[HTTP_KINDS];       /* answers that clients saw whole */
    uint64_t results[HTTP_KINDS][64]; /* of `done` */
    uint64_t unasked[HTTP_KINDS];     /* requests that no handler saw */
    uint64_t init;
    uint64_t lost;
    uint64_t echoes;
    uint64_t refs_refused;
    uint64_t fulls;
    uint64_t drained;
    uint64_t drains[WRING__HTTP_LAST + 1]; /* connections by their phase when the drain began */
} sums;

static void drain_note(wring__endpoint *end, void *unused) {
    const wring__peer *peer = wring__peer_of_end(end);
    (void)unused;
    if (peer != NULL && end->state == WRING__END_OPEN && !wring__stream_is_started(&peer->stream)) {
        sums.drains[peer->http == NULL ? WRING__HTTP_HEAD : peer->http->phase]++;
    }
}

static void drain_begin(void) {
    w->is_draining = true;
    for (uint32_t i = 0; i < w->run.server->config.workers; i++) {
        wring__worker_each(&w->run.server->workers[i].io, drain_note, NULL);
    }
    wring__server_drain(w->run.server, 1000);
}

static void sums_add(void) {
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        const http_client *client = &w->clients[i];
        sums.echoes += client->echoes;
        for (unsigned k = 0; k < client->count; k++) {
            const http_ask *ask = &client->asks[k];
            sums.whole[ask->kind] += ask->is_seen;
            sums.unasked[ask->kind] += ask->requested == 0;
            sums.results[ask->kind][-ask->end.result & 63] += ask->done;
        }
    }
    sums.refs_refused += w->refs_refused;
    sums.fulls += w->fulls;
    sums.drained += w->drained;
    for (unsigned i = 0; i < w->given_count; i++) {
        sums.init += w->given[i].init;
        sums.lost += w->given[i].lost;
    }
}

void sim_http_sum(uint64_t seeds) {
    for (unsigned i = 0; i < HTTP_KINDS; i++) {
        printf("%-8s %llu whole, %llu unasked;", http_paths[i], (unsigned long long)sums.whole[i],
               (unsigned long long)sums.unasked[i]);
        for (int result = 0; result < 64; result++) {
            if (sums.results[i][result] > 0) {
                printf(" %d:%llu", result, (unsigned long long)sums.results[i][result]);
            }
        }
        printf("\n");
    }
    printf("init %llu, lost %llu, echoes %llu\n", (unsigned long long)sums.init,
           (unsigned long long)sums.lost, (unsigned long long)sums.echoes);
    printf("refs refused %llu, queue full %llu, drained %llu; drains by phase:",
           (unsigned long long)sums.refs_refused, (unsigned long long)sums.fulls,
           (unsigned long long)sums.drained);
    for (unsigned i = 0; i < WRING__HTTP_LAST; i++) {
        printf(" %llu", (unsigned long long)sums.drains[i]);
        EXPECT(seeds < (i == WRING__HTTP_DISCARD ? 10000 : 500) || sums.drains[i] > 0);
    }
    printf("\n");
    EXPECT(seeds < 500 || (sums.init > 0 && sums.lost > 0 && sums.echoes > 0));
    EXPECT(seeds < 500 || (sums.refs_refused > 0 && sums.fulls > 0 && sums.drained > 0));
}

/* ---- what is owed at the end ----------------------------------------------------------------- */

static bool is_late_kind(const http_ask *ask) {
    return ask->kind == HTTP_LATE || ask->kind == HTTP_PEER || ask->kind == HTTP_INFO ||
           ask->kind == HTTP_HOOK || ask->kind == HTTP_UPLOAD /* paused for too long */ ||
           ask->kind == HTTP_ABORT; /* whoever was to stop it did not come */
}

/* Whether the reason that `done` was told has a cause. */
static bool has_cause(const http_ask *ask) {
    const http_client *client = ask->client;
    switch (ask->end.result) {
    case WRING_OK:
        return ask->end.status != 0 &&
               (ask->kind != HTTP_ABORT || ask->end.status >= 500 || ask->is_head);
    case WRING_ERR_MESSAGE_TOO_BIG:
        return ask->body_len > HTTP_BODY_MAX;
    case WRING_ERR_TRUNCATED:
        return client->has_shut || client->is_over;
    case WRING_ERR_TRANSPORT:
        return client->is_over;
    case WRING_ERR_STREAM_RESET:
        return ask->is_reset;
    case WRING_ERR_SLOW_CONSUMER:
        return client->has_waited && ask->end.status == 200;
    case WRING_ERR_TIMEOUT:
        return ask->end.status == 408 || (ask->end.status == 503 && is_late_kind(ask)) ||
               (ask->end.status == 200 && ask->kind == HTTP_ECHO);
    case WRING_ERR_CLOSED:
        return ask->kind == HTTP_ABORT || ask->flavour % 13 == 0 || ask->is_aborted ||
               w->is_draining;
    default:
        return false;
    }
}

void http_end_check(const http_ask *ask) {
    const bool was_told_the_cause = has_cause(ask);
    if (!was_told_the_cause) {
        fprintf(stderr, "%s: done was told %d, status %u\n", http_paths[ask->kind],
                (int)ask->end.result, (unsigned)ask->end.status);
    }
    EXPECT(was_told_the_cause);
}

static void ask_check(const http_ask *ask) {
    EXPECT(ask->done == ask->requested);
    if (ask->done == 0) {
        return;
    }
    if (ask->is_seen && ask->end.status < 500 && ask->status < 500 && ask->status != 413 &&
        ask->status != 408 && ask->status != 400) {
        /* A chunked body may lack its end when all of it came back. */
        EXPECT(ask->end.result == WRING_OK || (ask->kind == HTTP_ECHO && ask->is_chunked));
        EXPECT(ask->end.status == ask->status);
        EXPECT(ask->end.tx_bytes == ask->seen_bytes || ask->status == 101 ||
               (ask->is_unframed && ask->end.tx_bytes > ask->seen_bytes)); /* it read too slowly */
    }
    if (ask->body_len > HTTP_BODY_MAX && ask->kind != HTTP_STREAM && ask->kind != HTTP_UPLOAD) {
        EXPECT(ask->end.result != WRING_OK);
    }
}

/* Nothing disturbed the connection: then every request was answered. */
static void client_check(const http_client *client) {
    bool is_calm = client->next < client->count && !client->is_cut && !client->must_end &&
                   !client->has_waited && client->had_end && !w->is_draining &&
                   client->out_sent == client->out_len;
    for (unsigned i = 0; i < client->count; i++) {
        const http_ask *ask = &client->asks[i];
        is_calm &= ask->done == 0 || ask->end.result == WRING_OK;
        ask_check(ask);
        EXPECT(i == 0 || ask->requested == 0 || client->asks[i - 1].requested == 1 ||
               client->asks[i - 1].kind == HTTP_MISSING);
    }
    EXPECT(!is_calm);
}

static void given_check(void) {
    for (unsigned i = 0; i < w->given_count; i++) {
        const http_given *given = &w->given[i];
        EXPECT(given->init + given->lost == (given->is_taken ? 1 : 0));
    }
}

static void everything_check(void) {
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        client_check(&w->clients[i]);
    }
    given_check();
}

void sim_http(uint64_t seed) {
    static const uint32_t pipes[] = {16, 100, 1024, 16384};
    memset(w, 0, sizeof *w);
    sim_run_pipe_bytes = pipes[seed / 2 % 4];
    http_server_begin(seed);
    for (unsigned i = 0; i < HTTP_CLIENTS; i++) {
        http_client_plan(&w->clients[i]);
    }
    const uint64_t drain_at = http_random(3) == 0 ? http_random(400) : UINT64_MAX;
    for (uint64_t round = 0; !is_over(); round++) {
        EXPECT(round < 1000000);
        if (round == drain_at) {
            drain_begin();
        }
        round_run();
    }
    while (w->job_count > 0) { /* for exchanges that are over */
        w->jobs[0] = w->jobs[--w->job_count];
    }
    const bool was_draining = w->is_draining;
    w->is_draining = true;
    sim_run_end(&w->run);
    w->is_draining = was_draining;
    everything_check();
    sums_add();
    sim_run_pipe_bytes = 0;
}
