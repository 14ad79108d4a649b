/* SPDX-License-Identifier: Apache-2.0
 *
 * A client that echoes, on a simulated stream: each read of it is exactly one write of the tester,
 * and of its output the seed decides how much is taken.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/echo_client.h"
#include "tests/conformance/link.h"

struct client_sim {
    wring_machine *machine;
    wring_deflate *contexts;
    uint64_t random;
    uint8_t *read; /* a machine unmasks and validates in the caller's memory */
    size_t read_cap;
};

static void *client_sim_open(const struct link_ops *ops, uint64_t seed) {
    (void)ops;
    struct client_sim *l = calloc(1, sizeof *l);
    l->machine = echo_client_create(&l->contexts);
    l->random = seed;
    return l;
}

static struct moved client_sim_move(void *link, const uint8_t *bytes, size_t len, uint8_t *out,
                                    size_t cap) {
    struct client_sim *l = link;
    struct moved moved = {0};
    if (len > 0) {
        if (len > l->read_cap) {
            l->read_cap = len;
            l->read = realloc(l->read, len);
        }
        memcpy(l->read, bytes, len);
        echo_client_feed(l->machine, (wring_mut_bytes){l->read, len});
        moved.sent = len;
    }
    const wring_bytes output = wring_machine_output(l->machine);
    if (output.len > 0) {
        l->random = l->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const size_t most = output.len < cap ? output.len : cap;
        moved.received = l->random >> 63 ? most : 1 + (l->random >> 33) % most;
        memcpy(out, output.data, moved.received);
        wring_machine_sent(l->machine, moved.received);
    }
    moved.end = moved.received == 0 && echo_client_is_done(l->machine);
    moved.timeout = moved.sent == 0 && moved.received == 0 && !moved.end;
    return moved;
}

static void client_sim_close(void *link) {
    struct client_sim *l = link;
    wring_machine_destroy(l->machine);
    wring_deflate_destroy(l->contexts);
    free(l->read);
    free(l);
}

const struct link_ops link_client_sim = {
    .name = "client-sim",
    .text = "client, simulated",
    .tester_is_client = false,
    .open = client_sim_open,
    .move = client_sim_move,
    .close = client_sim_close,
};
