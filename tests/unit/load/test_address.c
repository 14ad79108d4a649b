/* SPDX-License-Identifier: Apache-2.0
 *
 * From a name to an address: silent ones are passed over, and a person can end any wait.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/engine.h"
#include "client/resolve.h"

/* ---- addresses that answer, refuse, or do neither -------------------------------------------- */

static const char *const answering = "127.0.0.3";
static const char *const silent = "127.0.0.2";
static const char *const refusing = "127.0.0.4";
static uint16_t port;
static int descriptors[64];
static size_t descriptor_count;

static int keep(int fd) {
    cr_assert(fd >= 0 && descriptor_count < WRING_ARRAY_LEN(descriptors));
    descriptors[descriptor_count++] = fd;
    return fd;
}

static void listen_at(const char *host, int backlog) {
    wring__address address;
    cr_assert(wring__address_parse(host, port, &address));
    const int fd = keep(socket(AF_INET, SOCK_STREAM, 0));
    cr_assert_eq(bind(fd, &address.any, address.len), 0);
    cr_assert_eq(listen(fd, backlog), 0);
    cr_assert_eq(getsockname(fd, &address.any, &address.len), 0);
    port = ntohs(address.v4.sin_port);
}

/* A listener that accepts nothing and whose backlog is full: a SYN is dropped. */
static void silence(void) {
    wring__address address;
    listen_at(silent, 0);
    cr_assert(wring__address_parse(silent, port, &address));
    for (int i = 0; i < 8; i++) {
        const int fd = keep(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        (void)!connect(fd, &address.any, address.len);
        struct pollfd dial = {.fd = fd, .events = POLLOUT};
        if (poll(&dial, 1, 300) == 0) {
            return;
        }
    }
    cr_skip_test("a full backlog drops no SYN here");
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *hosts[4];
static wring_duration_ns answer_after;

static wring_result fake(const char *host, uint16_t at, wring__addresses *out,
                         wring_duration_ns *after) {
    (void)host;
    *after = answer_after;
    for (size_t i = 0; i < WRING_ARRAY_LEN(hosts) && hosts[i] != NULL; i++) {
        cr_assert(wring__address_parse(hosts[i], at, &out->list[out->count++]));
    }
    return out->count > 0 ? WRING_OK : WRING_ERR_ADDRESS;
}

static unsigned asked;
static unsigned asked_max; /* then the person ends it */

static bool go_on(void *arg) {
    (void)arg;
    return ++asked <= asked_max;
}

static wring_result find(wring_duration_ns patience_ns, load_target *target, wring_error *error) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const wring_time_ns from =
        (wring_time_ns)now.tv_sec * WRING_NS_PER_SEC + (wring_time_ns)now.tv_nsec;
    const load_patience patience = {go_on, NULL, from + patience_ns};
    wring__resolve_set_test(fake);
    asked = 0;
    *target =
        (load_target){.backend = &wring__backend_uring, .host = "name.test", .url = {.port = port}};
    const wring_result result = load_address_find(target, &patience, error);
    wring__resolve_set_test(NULL);
    return result;
}

static void start(void) {
    asked_max = UINT32_MAX;
    port = 0;
    silence();
    listen_at(answering, 16);
}

static void stop(void) {
    while (descriptor_count > 0) {
        close(descriptors[--descriptor_count]);
    }
}

TestSuite(address, .init = start, .fini = stop);

static void expect(const load_target *target, const char *host) {
    wring__address address;
    cr_assert(wring__address_parse(host, port, &address));
    cr_assert_eq(target->address.v4.sin_addr.s_addr, address.v4.sin_addr.s_addr);
    cr_assert_eq(target->address.v4.sin_port, htons(port));
}

#define LONG_NS (3600 * WRING_NS_PER_SEC)

Test(address, a_silent_one_is_passed_over) {
    load_target target;
    wring_error error;
    hosts[0] = silent;
    hosts[1] = answering;
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_OK);
    expect(&target, answering);
}

Test(address, a_refusing_one_is_passed_over) {
    load_target target;
    wring_error error;
    hosts[0] = refusing;
    hosts[1] = silent;
    hosts[2] = answering;
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_OK);
    expect(&target, answering);
}

Test(address, when_all_refuse_the_first_is_for_the_run_to_tell_of) {
    load_target target;
    wring_error error;
    hosts[0] = refusing;
    hosts[1] = "127.0.0.5";
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_OK);
    expect(&target, refusing);
}

Test(address, of_one_no_question_is_asked) {
    load_target target;
    wring_error error;
    hosts[0] = silent;
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_OK);
    expect(&target, silent);
}

Test(address, silence_ends_with_the_time_for_it) {
    load_target target;
    wring_error error;
    hosts[0] = silent;
    hosts[1] = silent;
    cr_assert_eq(find(WRING_NS_PER_SEC, &target, &error), WRING_ERR_ADDRESS);
    cr_assert_not_null(strstr(error.text, "--connect-timeout"), "%s", error.text);
}

Test(address, a_person_ends_the_wait_for_addresses) {
    load_target target;
    wring_error error;
    hosts[0] = silent;
    hosts[1] = silent;
    asked_max = 8;
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_ERR_ADDRESS);
    cr_assert_not_null(strstr(error.text, "ended before"), "%s", error.text);
}

Test(address, a_person_ends_the_wait_for_a_name_server) {
    load_target target;
    wring_error error;
    hosts[0] = answering;
    answer_after = LONG_NS;
    asked_max = 3;
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_ERR_ADDRESS);
    cr_assert_not_null(strstr(error.text, "ended before"), "%s", error.text);
}

Test(address, a_silent_name_server_ends_with_the_time_for_it) {
    load_target target;
    wring_error error;
    hosts[0] = answering;
    answer_after = LONG_NS;
    cr_assert_eq(find(WRING_NS_PER_SEC / 4, &target, &error), WRING_ERR_ADDRESS);
    cr_assert_not_null(strstr(error.text, "no name server"), "%s", error.text);
}

Test(address, a_name_that_is_none_says_so) {
    load_target target;
    wring_error error;
    cr_assert_eq(find(LONG_NS, &target, &error), WRING_ERR_ADDRESS);
    cr_assert_not_null(strstr(error.text, "cannot resolve 'name.test'"), "%s", error.text);
}
