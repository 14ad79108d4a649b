/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy leaves open: the defaults, and for a route what the server's policy says.
 */
#include <criterion/criterion.h>
#include <stddef.h>

#include "server/policy.h"

#define PAUSE (UINT64_C(1) << 20)

static wring__policy adopted(wring_policy in, const wring__policy *base) {
    wring__policy out;
    wring_error error = {.text = ""};
    in.struct_size = sizeof in;
    cr_assert_eq(wring__policy_adopt(&in, base, PAUSE, &out, &error), WRING_OK, "%s", error.text);
    return out;
}

static wring__policy with_session(wring_session_config session, const wring__policy *base) {
    session.struct_size = sizeof session;
    return adopted((wring_policy){.session = &session}, base);
}

/* ---- the server's own ------------------------------------------------------------------------ */

Test(policy, defaults) {
    wring__policy policy;
    cr_assert_eq(wring__policy_adopt(NULL, NULL, PAUSE, &policy, NULL), WRING_OK);
    const wring_policy *p = &policy.config;
    cr_expect_eq(p->slow_policy, WRING_SLOW_DISCONNECT);
    cr_expect_eq(p->send_soft_bytes, 64u << 10);
    cr_expect_eq(p->send_hard_bytes, 2 * PAUSE);
    cr_expect_eq(p->slow_timeout_ms, WRING_OFF);
    cr_expect_eq(p->age_max_ms, WRING_OFF);
    cr_expect_eq(p->messages_per_second, WRING_UNLIMITED);
    cr_expect_eq(p->messages_burst, WRING_UNLIMITED);
    cr_expect_eq(p->controls_per_second, 100u);
    cr_expect_eq(p->controls_burst, 500u);
    cr_expect_eq(p->subscriptions_max, 1024u);
    cr_expect_not(policy.has_deflate);
    const wring_session_config *s = &policy.session;
    cr_expect_eq(s->frame_bytes_max, 16u << 20);
    cr_expect_eq(s->message_bytes_max, 64u << 20);
    cr_expect_eq(s->fragment_bytes_max, 128u << 20);
    cr_expect_eq(s->close_timeout_ms, 5000u);
    cr_expect_eq(s->idle_timeout_ms, WRING_OFF);
    cr_expect_eq(s->ping_interval_ms, WRING_OFF);
    cr_expect_eq(s->pong_timeout_ms, 20000u);
    cr_expect_not(s->allow_iana_close_codes);
}

Test(policy, a_burst_is_twice_its_rate) {
    cr_expect_eq(adopted((wring_policy){.messages_per_second = 7}, NULL).config.messages_burst,
                 14u);
    const wring_policy both = {.messages_per_second = 7, .messages_burst = 3};
    cr_expect_eq(adopted(both, NULL).config.messages_burst, 3u);
    const wring_policy controls = {.controls_per_second = 7};
    cr_expect_eq(adopted(controls, NULL).config.controls_burst, 500u, "not of control frames");
}

Test(policy, the_hard_mark_is_twice_pause_bytes_or_above_the_soft_one) {
    wring__policy policy = adopted((wring_policy){.send_soft_bytes = 5 * PAUSE}, NULL);
    cr_expect_eq(policy.config.send_hard_bytes, 10 * PAUSE);
    const wring_policy none = {.struct_size = sizeof none};
    cr_assert_eq(wring__policy_adopt(&none, NULL, WRING_UNLIMITED, &policy, NULL), WRING_OK);
    cr_expect_eq(policy.config.send_hard_bytes, WRING_UNLIMITED);
}

/* config.h: twice message_bytes_max, and 1 MiB at least. */
Test(policy, the_memory_of_fragments_follows_the_message) {
    const struct {
        uint64_t message, fragments;
    } rows[] = {{1, 1u << 20},
                {1u << 19, 1u << 20},
                {1u << 20, 2u << 20},
                {UINT64_MAX / 2, UINT64_MAX - 1},
                {WRING_UNLIMITED, WRING_UNLIMITED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring_session_config session = {.message_bytes_max = rows[i].message};
        cr_expect_eq(with_session(session, NULL).session.fragment_bytes_max, rows[i].fragments,
                     "row %zu", i);
    }
}

Test(policy, the_public_one_points_to_the_limits_it_adopted) {
    const wring_session_config session = {.struct_size = sizeof session, .ping_interval_ms = 9};
    const wring_policy in = {.struct_size = sizeof in, .session = &session};
    wring_policy out = {.struct_size = sizeof out};
    wring_session_config limits = {.struct_size = sizeof limits};
    cr_assert_eq(wring_policy_adopt(&in, PAUSE, &out, &limits, NULL), WRING_OK);
    cr_expect_eq(out.struct_size, sizeof out);
    cr_expect_eq(out.session, &limits);
    cr_expect_eq(limits.ping_interval_ms, 9u);
    cr_expect_eq(out.send_hard_bytes, 2 * PAUSE);
}

/* ---- a route's ------------------------------------------------------------------------------- */

static const wring_session_config base_session = {.struct_size = sizeof base_session,
                                                  .allow_iana_close_codes = true,
                                                  .frame_bytes_max = 101,
                                                  .message_bytes_max = 102,
                                                  .fragment_bytes_max = 103,
                                                  .close_timeout_ms = 104,
                                                  .idle_timeout_ms = 105,
                                                  .ping_interval_ms = 106,
                                                  .pong_timeout_ms = 107};
static const wring_deflate_config base_deflate = {.struct_size = sizeof base_deflate, .level = 9};

static wring__policy base_make(void) {
    return adopted((wring_policy){.slow_policy = WRING_SLOW_DROP_OLDEST,
                                  .session = &base_session,
                                  .deflate = &base_deflate,
                                  .send_soft_bytes = 1001,
                                  .send_hard_bytes = 2002,
                                  .slow_timeout_ms = 1003,
                                  .age_max_ms = 1004,
                                  .messages_per_second = 1005,
                                  .messages_burst = 1006,
                                  .controls_per_second = 1007,
                                  .controls_burst = 1008,
                                  .subscriptions_max = 1009},
                   NULL);
}

#define FIELD(name)                                                                                \
    { #name, offsetof(wring_policy, name), sizeof(((wring_policy *)0)->name) }
#define SESSION_FIELD(name)                                                                        \
    { #name, offsetof(wring_session_config, name), sizeof(((wring_session_config *)0)->name) }

struct field {
    const char *name;
    size_t at, size;
};

static const struct field fields[] = {
    FIELD(slow_policy),       FIELD(send_soft_bytes),     FIELD(send_hard_bytes),
    FIELD(slow_timeout_ms),   FIELD(age_max_ms),          FIELD(messages_per_second),
    FIELD(messages_burst),    FIELD(controls_per_second), FIELD(controls_burst),
    FIELD(subscriptions_max),
};
static const struct field session_fields[] = {
    SESSION_FIELD(allow_iana_close_codes), SESSION_FIELD(frame_bytes_max),
    SESSION_FIELD(message_bytes_max),      SESSION_FIELD(fragment_bytes_max),
    SESSION_FIELD(close_timeout_ms),       SESSION_FIELD(idle_timeout_ms),
    SESSION_FIELD(ping_interval_ms),       SESSION_FIELD(pong_timeout_ms),
};

/* All fields are as in `base`, except those called `but` and `and`. */
static void expect_base(const struct field *list, size_t count, const void *got, const void *base,
                        const char *but, const char *and) {
    for (size_t i = 0; i < count; i++) {
        const bool same = memcmp((const char *)got + list[i].at, (const char *)base + list[i].at,
                                 list[i].size) == 0;
        const bool own = strcmp(list[i].name, but) == 0 || strcmp(list[i].name, and) == 0;
        cr_expect_eq(same, !own, "%s with its own %s", list[i].name, but);
    }
}

#define EXPECT_BASE(got, base, but, and)                                                           \
    expect_base(fields, sizeof fields / sizeof *fields, &(got).config, &(base).config, but, and)
#define EXPECT_SESSION(got, base, but, and)                                                        \
    expect_base(session_fields, sizeof session_fields / sizeof *session_fields, &(got).session,    \
                &(base).session, but, and)

Test(policy, a_route_that_says_nothing_has_the_servers_policy) {
    const wring__policy base = base_make();
    const wring__policy none = adopted((wring_policy){0}, &base);
    const wring__policy empty = with_session((wring_session_config){0}, &base);
    const wring__policy *const both[] = {&none, &empty};
    for (size_t i = 0; i < 2; i++) {
        EXPECT_BASE(*both[i], base, "", "");
        EXPECT_SESSION(*both[i], base, "", "");
        cr_expect(both[i]->has_deflate && both[i]->deflate.level == 9);
    }
    wring__policy null;
    cr_assert_eq(wring__policy_adopt(NULL, &base, PAUSE, &null, NULL), WRING_OK);
    EXPECT_BASE(null, base, "", "");
}

Test(policy, each_field_of_a_route_is_its_own_or_the_servers) {
    const wring__policy base = base_make();
    const struct {
        const char *field, *follows;
        wring_policy policy;
    } rows[] = {
        {"slow_policy", "", {.slow_policy = WRING_SLOW_DROP_NEWEST}},
        {"send_soft_bytes", "", {.send_soft_bytes = 7}},
        {"send_soft_bytes", "send_hard_bytes", {.send_soft_bytes = 5000}}, /* above the base's */
        {"send_hard_bytes", "", {.send_hard_bytes = 5000}},
        {"slow_timeout_ms", "", {.slow_timeout_ms = WRING_OFF}},
        {"age_max_ms", "", {.age_max_ms = 7}},
        {"messages_per_second", "messages_burst", {.messages_per_second = 7}},
        {"messages_burst", "", {.messages_burst = 7}},
        {"controls_per_second", "", {.controls_per_second = WRING_UNLIMITED}},
        {"controls_burst", "", {.controls_burst = 7}},
        {"subscriptions_max", "", {.subscriptions_max = WRING_UNLIMITED}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring__policy policy = adopted(rows[i].policy, &base);
        EXPECT_BASE(policy, base, rows[i].field, rows[i].follows);
        EXPECT_SESSION(policy, base, "", "");
    }
    cr_expect_eq(adopted(rows[2].policy, &base).config.send_hard_bytes, 10000u);
    cr_expect_eq(adopted(rows[6].policy, &base).config.messages_burst, 14u);
}

Test(policy, each_limit_of_a_route_is_its_own_or_the_servers) {
    const wring__policy base = base_make();
    const struct {
        const char *field, *follows;
        wring_session_config session;
    } rows[] = {
        {"frame_bytes_max", "", {.frame_bytes_max = 7}},
        {"message_bytes_max", "fragment_bytes_max", {.message_bytes_max = 7}},
        {"fragment_bytes_max", "", {.fragment_bytes_max = WRING_UNLIMITED}},
        {"close_timeout_ms", "", {.close_timeout_ms = 7}},
        {"idle_timeout_ms", "", {.idle_timeout_ms = WRING_OFF}},
        {"ping_interval_ms", "", {.ping_interval_ms = 7}},
        {"pong_timeout_ms", "", {.pong_timeout_ms = WRING_OFF}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring__policy policy = with_session(rows[i].session, &base);
        EXPECT_SESSION(policy, base, rows[i].field, rows[i].follows);
        EXPECT_BASE(policy, base, "", "");
    }
    cr_expect_eq(with_session(rows[1].session, &base).session.fragment_bytes_max, 1u << 20);
}

/* Both ways: a switch is on if either of the two has it on. */
Test(policy, close_codes_that_a_server_allows_are_allowed_on_its_routes) {
    const wring__policy plain = adopted((wring_policy){0}, NULL);
    const wring_session_config allows = {.allow_iana_close_codes = true};
    cr_expect(with_session(allows, &plain).session.allow_iana_close_codes);
    cr_expect_not(with_session((wring_session_config){0}, &plain).session.allow_iana_close_codes);
}

Test(policy, compression_is_the_servers_or_its_own_or_none) {
    const wring__policy base = base_make();
    const wring__policy plain = adopted((wring_policy){0}, NULL);
    const wring_deflate_config own = {.struct_size = sizeof own, .message_bytes_min = 7};
    const struct {
        wring_policy policy;
        const wring__policy *base;
        bool has;
        uint8_t level;
    } rows[] = {
        {{0}, &base, true, 9},
        {{.deflate = &own}, &base, true, 5}, /* whole, not field by field */
        {{.no_deflate = true}, &base, false, 0},
        {{.no_deflate = true, .deflate = &own}, &base, false, 0},
        {{0}, &plain, false, 0},
        {{.deflate = &own}, &plain, true, 5},
        {{.no_deflate = true, .deflate = &own}, NULL, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wring__policy policy = adopted(rows[i].policy, rows[i].base);
        cr_expect_eq(policy.has_deflate, rows[i].has, "row %zu", i);
        cr_expect(!rows[i].has || policy.deflate.level == rows[i].level, "row %zu", i);
    }
}

/* ---- refused --------------------------------------------------------------------------------- */

static void expect_refused(wring_policy in, const wring__policy *base, const char *named) {
    wring__policy out;
    wring_error error = {.text = ""};
    in.struct_size = in.struct_size == 0 ? sizeof in : in.struct_size;
    cr_expect_eq(wring__policy_adopt(&in, base, PAUSE, &out, &error), WRING_ERR_INVALID_CONFIG,
                 "%s", named);
    cr_expect_not_null(strstr(error.text, named), "'%s' is not in '%s'", named, error.text);
}

Test(policy, each_field_out_of_range_is_named) {
    const wring__policy base = base_make();
    const wring_session_config session = {.struct_size = 1};
    const wring_deflate_config deflate = {.struct_size = sizeof deflate, .level = 10};
    const struct {
        wring_policy policy;
        const char *named;
    } rows[] = {
        {{.send_soft_bytes = 8, .send_hard_bytes = 8}, "send_hard_bytes"},
        {{.send_hard_bytes = 8}, "send_hard_bytes"},
        {{.send_soft_bytes = WRING_UNLIMITED}, "send_hard_bytes"},
        {{.slow_policy = (wring_slow_policy)5}, "slow_policy"},
        {{.slow_policy = (wring_slow_policy)-1}, "slow_policy"},
        {{.messages_per_second = 1000000001}, "messages_per_second"},
        {{.controls_per_second = WRING_UNLIMITED - 1}, "controls_per_second"},
        {{.session = &session}, "wring_session_config"},
        {{.deflate = &deflate}, "level"},
        {{.struct_size = 1}, "wring_policy"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_refused(rows[i].policy, NULL, rows[i].named);
        expect_refused(rows[i].policy, &base, rows[i].named);
    }
    cr_expect_eq(
        adopted((wring_policy){.messages_per_second = 1000000000}, NULL).config.messages_per_second,
        1000000000u);
}

Test(policy, a_newer_program_may_not_set_what_is_unknown_here) {
    struct {
        wring_policy policy;
        uint64_t more;
    } newer = {.policy = {.struct_size = sizeof newer}};
    wring__policy out;
    wring_error error = {.text = ""};
    cr_expect_eq(wring__policy_adopt(&newer.policy, NULL, PAUSE, &out, &error), WRING_OK);
    cr_expect_eq(out.config.struct_size, sizeof(wring_policy));
    newer.more = 1;
    cr_expect_eq(wring__policy_adopt(&newer.policy, NULL, PAUSE, &out, &error),
                 WRING_ERR_INVALID_CONFIG);
    cr_expect_not_null(strstr(error.text, "wring_policy"), "%s", error.text);
}
