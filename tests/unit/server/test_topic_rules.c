/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules of topics: which one a name has, what it leaves open, what is refused.
 */
#include <criterion/criterion.h>

#include "server/topic_rules.h"

static wring__topic_rules made(const wring_topic_rule *list, size_t count, uint32_t coalesce_us) {
    wring__topic_rules rules = {0};
    wring_error error = {.text = ""};
    cr_assert_eq(wring__topic_rules_init(&rules, list, count, coalesce_us, &error), WRING_OK, "%s",
                 error.text);
    return rules;
}

static wring_topic_rule found(const wring__topic_rules *rules, const char *name) {
    return wring__topic_rules_find(rules, wring_str(name));
}

#define RULE(...)                                                                                  \
    { .struct_size = sizeof(wring_topic_rule), __VA_ARGS__ }

Test(topic_rules, the_first_that_matches_wins) {
    const wring_topic_rule list[] = {
        RULE(.name = "a", .coalesce_us = 1), RULE(.name = "a*", .coalesce_us = 2),
        RULE(.name = "ab", .coalesce_us = 3), RULE(.name = "*", .coalesce_us = 4)};
    wring__topic_rules rules = made(list, 4, 9);
    cr_expect_eq(found(&rules, "a").coalesce_us, 1u);
    cr_expect_eq(found(&rules, "ab").coalesce_us, 2u);
    cr_expect_eq(found(&rules, "b").coalesce_us, 4u);
    cr_expect_eq(found(&rules, "").coalesce_us, 4u);
    wring__topic_rules_deinit(&rules);
    wring__topic_rules_deinit(&rules);
}

Test(topic_rules, what_a_rule_leaves_open_is_filled_in) {
    const wring_topic_rule list[] = {
        RULE(.name = "open"), RULE(.name = "off", .coalesce_us = WRING_OFF),
        RULE(.name = "own", .slow_policy = WRING_SLOW_KEEP_LATEST, .coalesce_us = 7,
             .compress = WRING_COMPRESS_NEVER, .message_bytes_max = 8)};
    wring__topic_rules rules = made(list, 3, 9);
    const char *const of_none[] = {"open", "unknown"};
    for (size_t i = 0; i < 2; i++) {
        const wring_topic_rule rule = found(&rules, of_none[i]);
        cr_expect_eq(rule.slow_policy, WRING_SLOW_DEFAULT);
        cr_expect_eq(rule.coalesce_us, 9u);
        cr_expect_eq(rule.compress, WRING_COMPRESS_DEFAULT);
        cr_expect_eq(rule.message_bytes_max, WRING_UNLIMITED);
    }
    cr_expect_eq(found(&rules, "off").coalesce_us, WRING_OFF);
    const wring_topic_rule own = found(&rules, "own");
    cr_expect_eq(own.slow_policy, WRING_SLOW_KEEP_LATEST);
    cr_expect_eq(own.coalesce_us, 7u);
    cr_expect_eq(own.compress, WRING_COMPRESS_NEVER);
    cr_expect_eq(own.message_bytes_max, 8u);
    wring__topic_rules_deinit(&rules);
}

Test(topic_rules, there_may_be_none) {
    wring__topic_rules rules = made(NULL, 0, WRING_OFF);
    cr_expect_eq(found(&rules, "a").coalesce_us, WRING_OFF);
    wring__topic_rules_deinit(&rules);
}

Test(topic_rules, the_list_is_copied) {
    wring_topic_rule list[] = {RULE(.name = "a", .message_bytes_max = 5)};
    wring__topic_rules rules = made(list, 1, WRING_OFF);
    memset(list, 0xFF, sizeof list);
    cr_expect_eq(found(&rules, "a").message_bytes_max, 5u);
    wring__topic_rules_deinit(&rules);
}

/* A header before `message_bytes_max` was there. */
Test(topic_rules, a_list_of_an_older_program_is_walked_by_its_own_size) {
    struct older {
        _Alignas(wring_topic_rule) uint8_t bytes[offsetof(wring_topic_rule, message_bytes_max)];
    } list[2];
    for (uint32_t i = 0; i < 2; i++) {
        const wring_topic_rule rule = {
            .struct_size = sizeof *list, .name = i == 0 ? "a" : "b", .coalesce_us = i + 1};
        memcpy(&list[i], &rule, sizeof *list);
    }
    wring__topic_rules rules = made((const wring_topic_rule *)(const void *)list, 2, WRING_OFF);
    cr_expect_eq(found(&rules, "a").coalesce_us, 1u);
    cr_expect_eq(found(&rules, "b").coalesce_us, 2u);
    cr_expect_eq(found(&rules, "b").message_bytes_max, WRING_UNLIMITED);
    wring__topic_rules_deinit(&rules);
}

/* ---- refused --------------------------------------------------------------------------------- */

static void expect_refused(const wring_topic_rule *list, size_t count, const char *named,
                           const char *why) {
    wring__topic_rules rules = {0};
    wring_error error = {.text = ""};
    cr_expect_eq(wring__topic_rules_init(&rules, list, count, WRING_OFF, &error),
                 WRING_ERR_INVALID_CONFIG, "%s", why);
    cr_expect_not_null(strstr(error.text, named), "'%s' is not in '%s'", named, error.text);
    cr_expect_not_null(strstr(error.text, why), "'%s' is not in '%s'", why, error.text);
    wring__topic_rules_deinit(&rules);
}

Test(topic_rules, a_bad_rule_is_named) {
    const struct {
        wring_topic_rule rule;
        const char *named, *why;
    } rows[] = {
        {RULE(.coalesce_us = 1), "topic rule", "name"},
        {RULE(.name = "news*", .slow_policy = (wring_slow_policy)9), "news*", "slow_policy"},
        {RULE(.name = "news*", .slow_policy = (wring_slow_policy)-1), "news*", "slow_policy"},
        {RULE(.name = "a\x1b\n", .slow_policy = (wring_slow_policy)9), "a\\x1b\\x0a",
         "slow_policy"},
        {RULE(.name = "a\x1b\n", .compress = (wring_compress)3), "a\\x1b\\x0a", "compress"},
        {RULE(.name = "news*", .compress = (wring_compress)3), "news*", "compress"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring_topic_rule list[] = {RULE(.name = "good"), rows[i].rule};
        expect_refused(list, 2, rows[i].named, rows[i].why);
    }
}

Test(topic_rules, rules_of_different_sizes_are_refused) {
    wring_topic_rule list[] = {RULE(.name = "a"), RULE(.name = "b")};
    list[1].struct_size = 0;
    expect_refused(list, 2, "wring_topic_rule", "element 1");
    list[0].struct_size = 0;
    expect_refused(list, 2, "wring_topic_rule", "struct_size");
}
