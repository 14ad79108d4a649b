/* SPDX-License-Identifier: Apache-2.0
 *
 * A message that is not the right answer to the oldest one awaited: what it is, so that it is
 * counted as that and matching goes on in step.
 *
 *   the answer to a later one     those in between are lost, unless they come late
 *   the answer to an earlier one  late, if that was jumped over; else repeated
 *   none that can be told by its number, and
 *     nothing is awaited          nobody asked for it
 *     something is                a wrong answer to the oldest, until that one's own answer comes:
 *                                 then nobody had asked for the other
 *
 * The number is the tag that a payload begins with; a shorter payload has its lowest digits only.
 */
#include <stdlib.h>

#include "bench/load/echo.h"

#define DIGIT_BITS 6
/* With fewer digits a number comes round again: as far back as a repetition is looked for. */
#define BACK_MAX 64

/* ---- which one it answers -------------------------------------------------------------------- */

static uint64_t oldest_of(const load_echo *echo) {
    return echo->next - echo->count;
}

/* Payloads without a number are all alike. */
static bool is_nameless(const load_run *run) {
    return !run->payload.tagged || run->config->sizes.max == 0;
}

static bool len_is_possible(const load_run *run, uint64_t len) {
    const load_sizes *sizes = &run->config->sizes;
    return len == LOAD_LEN_UNKNOWN || (len >= sizes->min && len <= sizes->max);
}

/* An awaited one that the digits fit, and where they are few, the length. */
static bool find_awaited(const load_echo *echo, const load_message *message, uint64_t from,
                         uint64_t step, uint32_t *at) {
    for (uint64_t i = from; i < echo->count; i += step) {
        const uint32_t len = load_echo_at(echo, (uint32_t)i)->len;
        if (message->head_len >= LOAD_ECHO_TAG || message->len == LOAD_LEN_UNKNOWN ||
            message->len == len) {
            *at = (uint32_t)i;
            return true;
        }
    }
    return false;
}

/* The number of the message it answers, awaited or earlier. */
static bool identify(const load_link *link, const load_message *message, uint64_t *number) {
    const load_echo *echo = &link->echo;
    const load_run *run = link->thread->run;
    uint64_t digits;
    if (is_nameless(run) || !load_echo_tag_read(message->head, message->head_len, &digits)) {
        return false;
    }
    const size_t len = wring__min_size(message->head_len, LOAD_ECHO_TAG);
    const uint64_t step = UINT64_C(1) << (DIGIT_BITS * len);
    const uint64_t oldest = oldest_of(echo);
    uint32_t at;
    if (find_awaited(echo, message, (digits - oldest) & (step - 1), step, &at)) {
        *number = oldest + at;
        return true;
    }
    uint64_t back = (oldest - digits) & (step - 1);
    back = back == 0 ? step : back;
    if (back > oldest ||
        (len < LOAD_ECHO_TAG && (back > BACK_MAX || !len_is_possible(run, message->len)))) {
        return false;
    }
    *number = oldest - back;
    return true;
}

/* From the first odd message on, a connection's numbers are followed one by one: what is expected
 * next is always the oldest awaited. */
static load_sequence *follow(load_link *link) {
    if (link->tracks == NULL && (link->tracks = calloc(1, sizeof *link->tracks)) != NULL) {
        link->tracks->next = oldest_of(&link->echo);
        link->tracks->window =
            link->tracks->next >= 64 ? UINT64_MAX : (UINT64_C(1) << link->tracks->next) - 1;
    }
    WRING_ASSERT(link->tracks == NULL || link->tracks->next == oldest_of(&link->echo));
    return link->tracks;
}

/* ---- doubts ---------------------------------------------------------------------------------- */

static bool doubt_add(load_link *link, const char *fault) {
    load_echo *echo = &link->echo;
    if (echo->doubts == NULL && (echo->doubts = calloc(1, sizeof *echo->doubts)) == NULL) {
        return false;
    }
    load_doubts *doubts = echo->doubts;
    if (doubts->count == LOAD_DOUBTS_MAX) { /* the oldest was a wrong answer */
        doubts->count--;
        memmove(doubts->list, doubts->list + 1, doubts->count * sizeof doubts->list[0]);
    }
    doubts->list[doubts->count++] = (load_doubt){oldest_of(echo), load_echo_at(echo, 0)->sent,
                                                 fault, link->thread->phase == LOAD_MEASURING};
    return true;
}

/* The right answer came: what was counted as a wrong one was no answer at all. */
static void doubt_settle(load_link *link, uint32_t at) {
    load_doubts *doubts = link->echo.doubts;
    const load_doubt doubt = doubts->list[at];
    doubts->count--;
    memmove(doubts->list + at, doubts->list + at + 1,
            (doubts->count - at) * sizeof doubts->list[0]);
    WRING_ASSERT(link->thread->totals.wrong > 0);
    link->thread->totals.wrong--;
    link->thread->measured.wrong -= doubt.is_measured ? 1 : 0;
    load_thread_error_undo(link->thread, doubt.fault);
    link->thread->foreign++;
}

static bool doubt_find(const load_link *link, uint64_t number, uint32_t *at) {
    const load_doubts *doubts = link->echo.doubts;
    for (*at = 0; doubts != NULL && *at < doubts->count; (*at)++) {
        if (doubts->list[*at].number == number) {
            return true;
        }
    }
    return false;
}

/* ---- what it is ------------------------------------------------------------------------------ */

static void answer_to_later(load_link *link, const load_message *message, uint64_t number) {
    load_echo *echo = &link->echo;
    const uint32_t jumped = (uint32_t)(number - oldest_of(echo));
    echo->jumped += jumped;
    link->thread->lost += jumped;
    load_echo_pop(link, jumped);
    load_echo_accept(link, message, load_echo_fault(link, message, load_echo_at(echo, 0)));
}

static void answer_to_earlier(load_link *link, uint64_t number) {
    load_thread *thread = link->thread;
    uint32_t at;
    if (doubt_find(link, number, &at)) {
        load_echo_latency(link, link->echo.doubts->list[at].sent);
        doubt_settle(link, at);
    } else if (link->echo.jumped > 0) {
        link->echo.jumped--;
        thread->lost--;
        thread->reordered++;
    } else {
        thread->foreign++; /* a wrong answer was counted for it too long ago */
    }
}

static void numbered(load_link *link, const load_message *message, uint64_t number) {
    load_sequence *track = follow(link);
    uint64_t skipped;
    if (track == NULL) {
        load_link_fail(link, "out of memory");
        return;
    }
    switch (load_sequence_take(track, number, &skipped)) {
    case LOAD_ARRIVAL_IN_ORDER:
    case LOAD_ARRIVAL_AHEAD:
        answer_to_later(link, message, number);
        break;
    case LOAD_ARRIVAL_LATE:
        answer_to_earlier(link, number);
        break;
    case LOAD_ARRIVAL_DUPLICATE:
        link->thread->duplicated++;
        break;
    }
}

/* It stands for the oldest, so that the connection does not wait for ever. */
static void wrong_answer(load_link *link, const load_message *message, const char *fault) {
    load_sequence *track = follow(link);
    if (track == NULL || !doubt_add(link, fault)) {
        load_link_fail(link, "out of memory");
        return;
    }
    load_sequence_skip(track);
    load_echo_accept(link, message, fault);
}

/* Nothing is awaited. Where all messages are alike, one more right answer than there are messages
 * settles a doubt, or is a repeated one. */
static void unasked(load_link *link, const load_message *message) {
    const load_run *run = link->thread->run;
    const load_awaited any = {.len = (uint32_t)run->payload.len};
    load_doubts *doubts = link->echo.doubts;
    if (!is_nameless(run) || load_echo_fault(link, message, &any) != NULL) {
        link->thread->foreign++;
    } else if (doubts != NULL && doubts->count > 0) {
        doubt_settle(link, 0);
    } else if (link->echo.next > 0) {
        link->thread->duplicated++;
    } else {
        link->thread->foreign++;
    }
}

void load_echo_odd(load_link *link, const load_message *message, const char *fault) {
    uint64_t number;
    if (identify(link, message, &number)) {
        numbered(link, message, number);
    } else if (link->echo.count > 0) {
        wrong_answer(link, message, fault);
    } else {
        unasked(link, message);
    }
}
