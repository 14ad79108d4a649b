/* SPDX-License-Identifier: Apache-2.0
 *
 * How topics behave, by their names: copies of the rules of the API.
 */
#ifndef WRING_SERVER_TOPIC_RULES_H
#define WRING_SERVER_TOPIC_RULES_H

#include <stdatomic.h>

#include "core/base.h"
#include "wring/server.h"

typedef struct wring__topic_rules {
    _Atomic uint32_t refs; /* where it was made by wring__topic_rules_create */
    wring_topic_rule *list;
    size_t count;
    uint32_t coalesce_us;
    bool judge_publishers;       /* some rule says what a publisher has to know */
    uint64_t taken_bytes_always; /* no rule refuses a publication that is not longer */
} wring__topic_rules;

/** Copies them, names included.
 *  @param coalesce_us  of topics whose rule does not say
 *  Errors: WRING_ERR_INVALID_CONFIG, WRING_ERR_NO_MEMORY. */
WRING_MUST_CHECK wring_result wring__topic_rules_init(wring__topic_rules *rules,
                                                      const wring_topic_rule *list, size_t count,
                                                      uint32_t coalesce_us, wring_error *error);
/** The same on the heap, counted.  NULL: see `error`. */
wring__topic_rules *wring__topic_rules_create(const wring_topic_rule *list, size_t count,
                                              uint32_t coalesce_us, wring_error *error);
wring__topic_rules *wring__topic_rules_ref(wring__topic_rules *rules);
void wring__topic_rules_unref(wring__topic_rules *rules); /* NULL is legal */

/** Legal on a zeroed one. */
void wring__topic_rules_deinit(wring__topic_rules *rules);

/** The first rule that matches, with what it leaves open filled in. */
wring_topic_rule wring__topic_rules_find(const wring__topic_rules *rules, wring_bytes name);

#endif
