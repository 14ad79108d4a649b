/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "client/resolve.h"
#include "io/sim.h"

static uint16_t port_of(const wring__address *address) {
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

Test(addresses, numeric_ones_need_no_resolver) {
    wring__address address;
    cr_assert(wring__address_parse("127.0.0.1", 80, &address));
    cr_assert_eq(address.any.sa_family, AF_INET);
    cr_assert_eq(port_of(&address), 80);
    cr_assert_eq(address.len, sizeof address.v4);
    cr_assert(wring__address_parse("::1", 443, &address));
    cr_assert_eq(address.any.sa_family, AF_INET6);
    cr_assert_eq(port_of(&address), 443);
    static const char *const names[] = {"", "localhost", "127.1", "1.2.3.4.5", "::1%1", "[::1]"};
    for (size_t i = 0; i < 6; i++) {
        cr_assert_not(wring__address_parse(names[i], 1, &address), "%s", names[i]);
    }
}

/* Families as digits in, the order of the addresses (a, b, ...) out. */
Test(addresses, families_take_turns) { /* RFC 8305 4 */
    static const char *const rows[][2] = {
        {"", ""},         {"4", "a"},       {"6644", "acbd"},   {"4466", "acbd"},
        {"6464", "abcd"}, {"6666", "abcd"}, {"66644", "adbec"}, {"4666", "abcd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__addresses addresses = {.count = (uint32_t)strlen(rows[i][0])};
        for (uint32_t k = 0; k < addresses.count; k++) {
            cr_assert(wring__address_parse(rows[i][0][k] == '4' ? "127.0.0.1" : "::1",
                                           (uint16_t)('a' + k), &addresses.list[k]));
        }
        wring__addresses_interleave(&addresses);
        char order[8] = "";
        for (uint32_t k = 0; k < addresses.count; k++) {
            order[k] = (char)port_of(&addresses.list[k]);
        }
        cr_assert_str_eq(order, rows[i][1], "%s: %s", rows[i][0], order);
    }
}

/* ---- c-ares in the loop ---------------------------------------------------------------------- */

static unsigned done_count;
static wring_error done_error;

static void on_done(void *owner, const wring__addresses *addresses, const wring_error *error) {
    (void)owner;
    (void)addresses;
    done_count++;
    done_error = *error;
}

static const wring__worker_ops no_ops = {.name = "test"};

/* c-ares tells of a socket in the middle of sending a query on it. */
Test(resolve, a_socket_that_cannot_be_waited_for_ends_it_and_not_within_c_ares) {
    const wring__sim_config world_config = {.seed = 1};
    wring__sim *world = wring__sim_create(&world_config);
    const wring__worker_config config = {
        .backend = &wring__backend_sim, .backend_config = {.world = world}, .ops = &no_ops};
    wring__worker *worker = calloc(1, sizeof *worker);
    wring__resolve *resolve;
    uint32_t slot;
    uint32_t generation;
    cr_assert_eq(wring__worker_init(worker, &config, NULL), WRING_OK);
    wring__slots_deinit(&worker->watches);
    cr_assert_eq(wring__slots_init(&worker->watches, 1), WRING_OK);
    cr_assert_eq(wring__slots_acquire(&worker->watches, worker, &slot, &generation), WRING_OK);
    wring__resolve_set_test_server(9); /* discard: nobody answers */
    cr_assert_eq(wring__resolve_start(worker, "name.test", 80, on_done, NULL, &resolve), WRING_OK);
    for (int turns = 0; turns < 100 && done_count == 0; turns++) {
        cr_assert_eq(wring__worker_turn(worker, 0), WRING_OK);
        (void)wring__sim_advance(world);
    }
    cr_assert_eq(done_count, 1);
    cr_assert_eq(done_error.code, WRING_ERR_ADDRESS);
    wring__resolve_set_test_server(0);
    wring__slots_release(&worker->watches, slot, generation);
    wring__worker_deinit(worker);
    free(worker);
    wring__sim_destroy(world);
}
