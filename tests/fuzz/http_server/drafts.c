/* SPDX-License-Identifier: Apache-2.0
 *
 * See drafts.h.
 */
#include "tests/fuzz/http_server/drafts.h"

#include <stdio.h>

#include "wring/ref.h"

uint8_t exchanges_byte(size_t answer, size_t at) {
    return (uint8_t)(answer * 31 + at * 7 + (at >> 8) * 13 + 1);
}

wring_bytes draft_filler(size_t answer, size_t at, size_t len) {
    static uint8_t bytes[PIECE_MAX];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = exchanges_byte(answer, at + i);
    }
    return wring_bytes_of(bytes, len);
}

size_t draft_length(exchanges *all, wring_bytes *from) {
    size_t len = fuzz_u8(from);
    len = len < 200 ? len : (len - 199) * 100;
    len = wring__min_size(len, all->budget);
    all->budget -= len;
    return len;
}

/* ---- answers and accepts ------------------------------------------------------------------ */

void draft_make(exchanges *all, struct draft *draft, const record *of, unsigned flavour) {
    static const uint16_t statuses[] = {0, 404, 204, 200, 304, 599, 201, 200};
    const size_t number = (size_t)(of - all->records);
    FUZZ_CHECK(all->reply_count < REPLIES_MAX);
    draft->id = all->reply_count;
    snprintf(draft->texts[0], sizeof draft->texts[0], "%zu", number);
    snprintf(draft->texts[1], sizeof draft->texts[1], "%zu", draft->id);
    draft->headers[0] = (wring_header){wring_str("X-Record"), wring_str(draft->texts[0])};
    draft->headers[1] = (wring_header){wring_str("X-Answer"), wring_str(draft->texts[1])};
    draft->answer = (wring_answer){.struct_size = sizeof draft->answer,
                                   .status = statuses[flavour & 7],
                                   .ends_connection = flavour == 3,
                                   .content_type = flavour == 7 ? "application/json" : NULL,
                                   .headers = {draft->headers, 2}};
    all->replies[draft->id] = (answered){
        .record = number, .status = draft->answer.status == 0 ? 200 : draft->answer.status};
}

static void on_lost(void *data) {
    fuzz_given *what = data;
    FUZZ_CHECK(what->is_taken && what->inits == 0 && ++what->losts == 1);
}

fuzz_given *draft_accept(exchanges *all, wring_accept *accept, unsigned flavour) {
    FUZZ_CHECK(all->given_count < GIVEN_MAX);
    fuzz_given *what = &all->given[all->given_count++];
    *what = (fuzz_given){.is_taken = true};
    *accept = (wring_accept){.struct_size = sizeof *accept, .data = what, .lost = on_lost};
    if (flavour == 1) {
        accept->subprotocol = wring_str("never");
    } else if (flavour == 2) {
        accept->subprotocol = wring_str("chat");
    }
    return what;
}

/* ---- by ref ------------------------------------------------------------------------------- */

static void lost_info(const wring_info *info) {
    ((exchanges *)info->data)->losts++;
}

static wring_result mail_answer(exchanges *all, record *of, unsigned flavour, size_t len) {
    struct draft draft;
    if (all->reply_count == REPLIES_MAX) {
        return WRING_OK;
    }
    draft_make(all, &draft, of, flavour);
    draft.answer.body = draft_filler(draft.id, 0, wring__min_size(len, PIECE_MAX));
    all->replies[all->reply_count++].len = draft.answer.body.len;
    of->has_mail = true;
    return wring_ref_answer(of->ref, &draft.answer);
}

static wring_result mail_accept(exchanges *all, record *of, unsigned flavour) {
    wring_accept accept;
    if (all->given_count == GIVEN_MAX) {
        return WRING_OK;
    }
    fuzz_given *what = draft_accept(all, &accept, flavour);
    of->has_mail = true;
    const wring_result result = wring_ref_accept(of->ref, &accept);
    what->is_taken = result == WRING_OK;
    return result;
}

void exchanges_mail(exchanges *all, wring_bytes *in) {
    const uint8_t what = fuzz_u8(in);
    const size_t back = fuzz_u8(in);
    if (all->record_count == 0) {
        return;
    }
    record *of = &all->records[all->record_count - 1 - back % all->record_count];
    if (of->ref == WRING_REF_NONE) {
        return;
    }
    wring_result result;
    wring_info info = {9, all};
    switch (what & 7) {
    case 0:
    case 1:
    case 2:
        result = mail_answer(all, of, what >> 4 & 7, draft_length(all, in));
        break;
    case 3:
    case 4:
        result = mail_accept(all, of, what >> 4 & 7);
        break;
    case 5:
        of->has_stop = true;
        result = wring_ref_stop(of->ref);
        break;
    default:
        result = wring_ref_post(of->ref, &info, lost_info);
        all->posts += result == WRING_OK;
    }
    FUZZ_CHECK(result == WRING_OK);
}
