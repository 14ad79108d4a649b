/* SPDX-License-Identifier: Apache-2.0
 *
 * The scenario of settings that are replaced: what its cases share.
 */
#ifndef WRING_TESTS_SIM_SETTINGS_H
#define WRING_TESTS_SIM_SETTINGS_H

#include "tests/sim/sim_test.h"

#define SETTINGS_PAD  100 /* of each message */
#define SETTINGS_KEPT 4096

/* A policy with these marks, and more. */
#define SETTINGS_POLICY(soft, hard, ...)                                                           \
    ((wring_policy){.struct_size = sizeof(wring_policy),                                           \
                    .send_soft_bytes = (soft),                                                     \
                    .send_hard_bytes = (hard),                                                     \
                    __VA_ARGS__})
/* A rule of all topics. */
#define SETTINGS_RULE(...)                                                                         \
    ((wring_topic_rule){.struct_size = sizeof(wring_topic_rule), .name = "*", __VA_ARGS__})

typedef struct settings_world {
    sim_run run;
    sim_client reader;
    wring_ref ref;
    unsigned received; /* from it */
    unsigned filled;   /* its session could send, until it was refused */
    unsigned drained;
    unsigned ended;
    wring_result end_result;
    unsigned got[SETTINGS_KEPT]; /* the numbers it read */
    unsigned count;
    unsigned close_code;
} settings_world;

extern settings_world settings_now;

/* Its session is open, and subscribed to "news" and "other".  rule: of all topics, or NULL */
void settings_begin(uint64_t seed, const wring_policy *policy, const wring_topic_rule *rule);
void settings_end(void);
/* One round; the clock moves when nothing else does. */
void settings_step(bool awake);
/* `ms` of virtual time; a reader that is not awake reads nothing. */
void settings_run(uint64_t ms, bool awake);
void settings_publish(const char *topic, unsigned number);
wring_result settings_send(unsigned number); /* wring_ref_send */
void settings_talk(unsigned number);         /* the session publishes it to "news" */
void settings_policy(const wring_policy *policy);
void settings_rule(const wring_topic_rule *rule);
wring_server_stats settings_stats(void);
/* What was read is in order, none twice. */
void settings_in_order(unsigned at_least);

extern void (*const settings_cases[])(uint64_t seed);
extern const unsigned settings_case_count;

#endif
