/* SPDX-License-Identifier: Apache-2.0
 *
 * The token bucket, and the count of connections by source address.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>

#include "server/limits.h"

/* ---- the bucket ------------------------------------------------------------------------------ */

static unsigned take_all(wring__meter *meter, wring_time_ns now, wring_duration_ns interval,
                         uint32_t burst) {
    unsigned taken = 0;
    while (taken < 100000 && wring__meter_take(meter, now, interval, burst)) {
        taken++;
    }
    return taken;
}

Test(meter, a_full_bucket_has_its_burst_and_no_more) {
    for (uint32_t burst = 1; burst < 50; burst++) {
        wring__meter meter = {0};
        cr_expect_eq(take_all(&meter, 1000, 10, burst), burst);
    }
}

Test(meter, it_fills_again_at_its_rate_and_never_over) {
    wring__meter meter = {0};
    (void)take_all(&meter, 1000, 10, 5);
    cr_expect_eq(take_all(&meter, 1009, 10, 5), 0);
    cr_expect_eq(take_all(&meter, 1010, 10, 5), 1);
    cr_expect_eq(take_all(&meter, 1040, 10, 5), 3);
    cr_expect_eq(take_all(&meter, 1000000, 10, 5), 5);
}

Test(meter, over_a_long_time_the_rate_is_kept_exactly) {
    wring__meter meter = {0};
    unsigned taken = 0;
    for (wring_time_ns now = 0; now < 1000000; now += 3) {
        taken += wring__meter_take(&meter, now, 100, 1);
    }
    cr_expect(taken >= 9800 && taken <= 10000, "%u", taken);
}

/* A bucket of a slower rate is at worst an empty one of the new rate. */
Test(meter, a_rate_that_is_raised_does_not_count_what_was_taken_at_the_old_one) {
    const wring_time_ns start = WRING_NS_PER_SEC;
    wring__meter meter = {0};
    for (unsigned i = 0; i < 100; i++) {
        cr_assert(wring__meter_take(&meter, start, WRING_NS_PER_SEC, 1000));
    }
    const wring_duration_ns fast = WRING_NS_PER_SEC / 1000;
    cr_expect(wring__meter_take(&meter, start, fast, 2000), "the raised rate ended the session");
    cr_expect(take_all(&meter, start, fast, 2000) <= 2000);
    cr_expect_eq(take_all(&meter, start + 5 * fast, fast, 2000), 5);
    cr_expect_eq(take_all(&meter, start + 5000 * fast, fast, 2000), 2000);
}

Test(meter, a_rate_that_is_lowered_counts_from_then_on) {
    const wring_time_ns start = WRING_NS_PER_SEC;
    wring__meter meter = {0};
    (void)take_all(&meter, start, 1000, 500);
    const unsigned taken = take_all(&meter, start, WRING_NS_PER_SEC, 3);
    cr_expect(taken >= 2 && taken <= 3, "%u", taken);
}

/* ---- sources --------------------------------------------------------------------------------- */

static struct sockaddr_storage address(const char *text) {
    struct sockaddr_storage out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
    } else {
        cr_assert_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        v6->sin6_family = AF_INET6;
    }
    return out;
}

static wring__source *enter(wring__sources *sources, const char *text) {
    struct sockaddr_storage from = address(text);
    wring__source *source = NULL;
    wring_result result = wring__sources_enter(sources, &from, &source);
    cr_assert((result == WRING_OK) == (source != NULL));
    return source;
}

Test(sources, without_limits_nothing_is_kept) {
    wring__sources sources;
    cr_assert_eq(wring__sources_init(&sources, UINT32_MAX, UINT32_MAX), WRING_OK);
    cr_expect(!wring__sources_are_limited(&sources));
    wring__sources_deinit(&sources);
}

Test(sources, each_address_has_its_own_limit) {
    wring__sources sources;
    cr_assert_eq(wring__sources_init(&sources, 2, UINT32_MAX), WRING_OK);
    wring__source *a = enter(&sources, "192.0.2.1");
    cr_expect_eq(enter(&sources, "192.0.2.1"), a);
    cr_expect_null(enter(&sources, "192.0.2.1"));
    wring__source *b = enter(&sources, "192.0.2.2");
    cr_expect_neq(b, a);
    wring__sources_leave(&sources, a, true);
    cr_expect_eq(enter(&sources, "192.0.2.1"), a);
    wring__sources_leave(&sources, a, true);
    wring__sources_leave(&sources, a, true);
    wring__sources_leave(&sources, b, true);
    cr_expect_eq(sources.count, 0);
    wring__sources_deinit(&sources);
}

Test(sources, an_ipv6_host_is_its_64_and_a_mapped_one_is_ipv4) {
    wring__sources sources;
    cr_assert_eq(wring__sources_init(&sources, 100, UINT32_MAX), WRING_OK);
    wring__source *a = enter(&sources, "2001:db8:1:2::1");
    cr_expect_eq(enter(&sources, "2001:db8:1:2:ffff::9"), a);
    wring__source *b = enter(&sources, "2001:db8:1:3::1");
    cr_expect_neq(b, a);
    wring__source *c = enter(&sources, "192.0.2.1");
    cr_expect_eq(enter(&sources, "::ffff:192.0.2.1"), c);
    wring__source *all[] = {a, a, b, c, c};
    for (size_t i = 0; i < 5; i++) {
        wring__sources_leave(&sources, all[i], true);
    }
    wring__sources_deinit(&sources);
}

Test(sources, unfinished_handshakes_have_a_limit_of_their_own) {
    wring__sources sources;
    cr_assert_eq(wring__sources_init(&sources, UINT32_MAX, 1), WRING_OK);
    wring__source *a = enter(&sources, "192.0.2.1");
    cr_expect_null(enter(&sources, "192.0.2.1"));
    wring__sources_upgraded(&sources, a);
    cr_expect_eq(enter(&sources, "192.0.2.1"), a);
    wring__sources_leave(&sources, a, true);
    wring__sources_leave(&sources, a, false);
    wring__sources_deinit(&sources);
}

Test(sources, many_addresses_are_found_again) {
    enum { COUNT = 5000 };
    static wring__source *all[COUNT];
    wring__sources sources;
    char text[32];
    cr_assert_eq(wring__sources_init(&sources, 2, UINT32_MAX), WRING_OK);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
            wring__source *source = enter(&sources, text);
            cr_assert(round == 0 || source == all[i]);
            all[i] = source;
        }
    }
    for (unsigned i = 0; i < 2 * COUNT; i++) {
        wring__sources_leave(&sources, all[i % COUNT], true);
    }
    wring__sources_deinit(&sources);
}
