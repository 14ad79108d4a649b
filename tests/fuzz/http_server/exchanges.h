/* SPDX-License-Identifier: Apache-2.0
 *
 * An application of exchanges whose every callback does what the input says, right or wrong:
 * answers of all kinds, whole, in pieces, twice, later or never; pauses, aborts, upgrades. Each
 * call's result is checked against the contract, and what was taken is kept, to be compared with
 * what the peer got.
 */
#ifndef WRING_TESTS_FUZZ_HTTP_SERVER_EXCHANGES_H
#define WRING_TESTS_FUZZ_HTTP_SERVER_EXCHANGES_H

#include "tests/fuzz/app.h"

#define RECORDS_MAX 600
#define REPLIES_MAX 600
#define GIVEN_MAX   600

/* An exchange whose `request` was called. */
typedef struct record {
    wring_exchange *exchange; /* NULL: `done` was called */
    wring_ref ref;            /* also when it is over */
    uint64_t tag;             /* of exchanges.tag_of */
    fuzz_log name;            /* method and target */
    fuzz_log body;            /* of the request, as far as the handler got it */
    size_t answer;            /* the one that was taken; REPLIES_MAX: none, or by mail */
    size_t left;              /* of a begun answer of known length, to be written */
    bool is_hook;
    bool is_stream;
    bool is_head;
    bool had_last; /* piece of the body */
    bool is_paused;
    bool is_whole; /* answered whole, or accepted, by a call of its own */
    bool owes_end; /* of a begun answer that ended with its head: no answer_end yet */
    bool is_aborted;
    bool has_mail; /* somebody may have answered it by its ref */
    bool has_stop; /* somebody may have stopped it by its ref */
    unsigned dones;
    wring_exchange_end end;
} record;

/* An answer that was tried. */
typedef struct answered {
    size_t record;
    uint16_t status;
    bool is_begun; /* in pieces */
    bool is_ended;
    size_t len; /* of its body, as far as it was taken */
} answered;

/* An accept, whose data is given to init or to lost. */
typedef struct fuzz_given {
    unsigned inits;
    unsigned losts;
    bool is_taken; /* the call said WRING_OK */
} fuzz_given;

typedef struct exchanges {
    fuzz_app session; /* first: all handlers of a route have the same opts */
    wring_bytes script;
    size_t budget; /* bytes that answers still may have */
    record records[RECORDS_MAX];
    size_t record_count;
    answered replies[REPLIES_MAX];
    size_t reply_count;
    fuzz_given given[GIVEN_MAX];
    size_t given_count;
    uint64_t (*tag_of)(const wring_exchange *exchange); /* NULL: there is one at a time */
    unsigned posts;                                     /* taken */
    unsigned infos;                                     /* that arrived */
    unsigned losts;
} exchanges;

/* Of routes; their opts are the exchanges. */
extern const wring_http_handler exchanges_collect;
extern const wring_http_handler exchanges_stream;
extern const wring_http_handler exchanges_hook;
wring_handler exchanges_session(void);

/* What another thread does with the ref of an exchange. */
void exchanges_mail(exchanges *all, wring_bytes *in);

/* The byte `at` of the body of an answer. */
uint8_t exchanges_byte(size_t answer, size_t at);

/* After everything: callbacks came as often as promised. */
void exchanges_check(const exchanges *all);

void exchanges_free(exchanges *all);

#endif
