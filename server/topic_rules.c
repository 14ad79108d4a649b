/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules of topics. See topic_rules.h.
 */
#include "server/topic_rules.h"

#include <stdlib.h>

#include "core/sized.h"
#include "server/pattern.h"

static wring_result rule_check(const wring_topic_rule *rule, wring_error *error) {
    if (rule->name == NULL) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "topic rule: name is missing");
    }
    char shown[128];
    (void)wring_text_printable(wring_str(rule->name), shown, sizeof shown);
    if (rule->slow_policy > WRING_SLOW_KEEP_LATEST) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "topic rule %s: slow_policy is none of wring_slow_policy", shown);
    }
    if (rule->compress > WRING_COMPRESS_ALWAYS) {
        return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0,
                               "topic rule %s: compress is none of wring_compress", shown);
    }
    return WRING_OK;
}

/* The names of the caller's rules may go; what is not copied yet is not ours to free. */
static wring_result names_copy(wring__topic_rules *rules, wring_error *error) {
    for (size_t i = 0; i < rules->count; i++) {
        wring_topic_rule *rule = &rules->list[i];
        rule->name = strdup(rule->name);
        if (rule->name == NULL) {
            rules->count = i;
            return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the topic rules");
        }
        if (rule->message_bytes_max != 0 && rule->message_bytes_max < rules->taken_bytes_always) {
            rules->taken_bytes_always = rule->message_bytes_max;
        }
        rules->judge_publishers |=
            rule->compress != WRING_COMPRESS_DEFAULT || rule->message_bytes_max != 0;
    }
    return WRING_OK;
}

wring_result wring__topic_rules_init(wring__topic_rules *rules, const wring_topic_rule *list,
                                     size_t count, uint32_t coalesce_us, wring_error *error) {
    *rules =
        (wring__topic_rules){.coalesce_us = coalesce_us, .taken_bytes_always = WRING_UNLIMITED};
    rules->list = calloc(count + 1, sizeof *rules->list);
    if (rules->list == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the topic rules");
    }
    wring_result result =
        wring__sized_list_adopt(rules->list, sizeof *rules->list, list, count,
                                offsetof(wring_topic_rule, compress), "wring_topic_rule", error);
    for (size_t i = 0; i < count && result == WRING_OK; i++) {
        result = rule_check(&rules->list[i], error);
    }
    if (result == WRING_OK) {
        rules->count = count;
        result = names_copy(rules, error);
    }
    return result;
}

wring__topic_rules *wring__topic_rules_create(const wring_topic_rule *list, size_t count,
                                              uint32_t coalesce_us, wring_error *error) {
    wring__topic_rules *rules = calloc(1, sizeof *rules);
    if (rules == NULL) {
        (void)wring_error_set(error, WRING_ERR_NO_MEMORY, 0, "no memory for the topic rules");
        return NULL;
    }
    if (wring__topic_rules_init(rules, list, count, coalesce_us, error) != WRING_OK) {
        wring__topic_rules_deinit(rules);
        free(rules);
        return NULL;
    }
    atomic_init(&rules->refs, 1);
    return rules;
}

wring__topic_rules *wring__topic_rules_ref(wring__topic_rules *rules) {
    atomic_fetch_add(&rules->refs, 1);
    return rules;
}

void wring__topic_rules_unref(wring__topic_rules *rules) {
    if (rules != NULL && atomic_fetch_sub(&rules->refs, 1) == 1) {
        wring__topic_rules_deinit(rules);
        free(rules);
    }
}

void wring__topic_rules_deinit(wring__topic_rules *rules) {
    for (size_t i = 0; i < rules->count; i++) {
        free((char *)(uintptr_t)rules->list[i].name);
    }
    free(rules->list);
    *rules = (wring__topic_rules){0};
}

wring_topic_rule wring__topic_rules_find(const wring__topic_rules *rules, wring_bytes name) {
    wring_topic_rule found = {.struct_size = sizeof found};
    for (size_t i = 0; i < rules->count; i++) {
        if (wring__pattern_matches(rules->list[i].name, name)) {
            found = rules->list[i];
            break;
        }
    }
    found.coalesce_us = found.coalesce_us == 0 ? rules->coalesce_us : found.coalesce_us;
    found.message_bytes_max =
        found.message_bytes_max == 0 ? WRING_UNLIMITED : found.message_bytes_max;
    return found;
}
