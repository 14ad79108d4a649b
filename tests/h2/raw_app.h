/* SPDX-License-Identifier: Apache-2.0
 *
 * What the servers of scenarios with raw clients serve:
 *
 *     /now    answers at once
 *     /wait   takes a ref, and answers when raw_app_answer says so
 *     /big    raw_app_big bytes, in pieces, as they leave
 *     /up     counts its body, and answers
 *     /events begins, and ends when raw_app_event says so
 *     /e      echoes texts; "pause" has the session not read any more until raw_app_resume
 */
#ifndef WRING_TESTS_H2_RAW_APP_H
#define WRING_TESTS_H2_RAW_APP_H

#include "tests/sim/sim_test.h"

#define RAW_ROUTES 6

extern size_t raw_app_big;
extern unsigned raw_app_live;    /* sessions */
extern unsigned raw_app_asked;   /* calls of `request` */
extern unsigned raw_app_done;    /* ... of `done` */
extern unsigned raw_app_waiting; /* at /wait, not answered */

/* Begins anew. */
void raw_app_routes(wring_route routes[RAW_ROUTES]);
/* Everyone at /wait is answered. */
void raw_app_answer(void);
/* The answer at /events goes on. */
void raw_app_event(void);
/* The paused session reads again. */
void raw_app_resume(void);
/* The byte at `at` of /big. */
uint8_t raw_app_byte(size_t at);

#endif
