/* SPDX-License-Identifier: Apache-2.0
 *
 * Several addresses behind one name (RFC 8305): the next one is tried when one fails, or after
 * 250 ms beside it; the first that answers is taken and the others are let go of. Names are
 * resolved by the test, in virtual time.
 */
#include <stdio.h>

#include "tests/sim/client_test.h"

#define STAGGER      (250 * WRING_NS_PER_MS)
#define PORT_REFUSED 7
#define SETTLED      (20 * WRING_NS_PER_MS)
#define SLACK        (4 * WRING_NS_PER_MS) /* a tick for each timer on the way */
#define NAME_MAX_NS  (20 * WRING_NS_PER_SEC)

static struct {
    char kinds[8]; /* 'g'ood, 'r'efusing, 's'ilent; families change by turns */
    wring_duration_ns after;
    wring_result result;
    uint16_t good;
} name;

static wring_result resolve(const char *host, uint16_t port, wring__addresses *out,
                            wring_duration_ns *after) {
    (void)port;
    EXPECT(strcmp(host, "several.example") == 0);
    *after = name.after;
    for (uint32_t i = 0; name.result == WRING_OK && name.kinds[i] != 0; i++) {
        const uint16_t to = name.kinds[i] == 'g'   ? name.good
                            : name.kinds[i] == 'r' ? PORT_REFUSED
                                                   : WRING__SIM_SILENT_PORT;
        EXPECT(wring__address_parse(i % 2 == 0 ? "2001:db8::1" : "192.0.2.1", to, &out->list[i]));
        out->count++;
    }
    return name.result;
}

/* When the good one is reached: refusals cost nothing, each silence before it a stagger. False:
 * there is none. */
static bool reached_after(wring_duration_ns *after) {
    *after = name.after;
    for (const char *kind = name.kinds; *kind != 0; kind++) {
        if (*kind == 'g') {
            return true;
        }
        *after += *kind == 's' ? STAGGER : 0;
    }
    return false;
}

static wring_result expected_failure(void) {
    if (name.after >= 15 * WRING_NS_PER_SEC || strchr(name.kinds, 's') != NULL) {
        return name.result != WRING_OK && name.after < 15 * WRING_NS_PER_SEC ? name.result
                                                                             : WRING_ERR_TIMEOUT;
    }
    return name.result != WRING_OK ? name.result : WRING_ERR_CONNECT;
}

static void plan(client_world *world) {
    static const wring_duration_ns times[] = {0, 30 * WRING_NS_PER_MS, 2 * WRING_NS_PER_SEC,
                                              NAME_MAX_NS};
    memset(&name, 0, sizeof name);
    const uint64_t count = 1 + client_random(world, sizeof name.kinds - 1);
    for (uint64_t i = 0; i < count; i++) {
        name.kinds[i] = "grs"[client_random(world, 3)];
    }
    name.after = times[client_random(world, WRING_ARRAY_LEN(times))];
    name.result = client_random(world, 8) == 0 ? WRING_ERR_ADDRESS : WRING_OK;
    name.good = world->run.port;
}

/* Open, and in time; the losers are gone soon after. */
static void check_open(struct watch *watch, wring_duration_ns after) {
    client_world *world = watch->world;
    EXPECT(watch->status == WRING_CLIENT_OPEN);
    const wring_duration_ns took = watch->opened_at - watch->connecting_at;
    EXPECT(took >= after && took <= after + SLACK);
    EXPECT(world->pool->workers[0].io.conn_count == 1);
}

static void rounds_until(client_world *world, const struct watch *watch, wring_time_ns at) {
    for (int round = 0; wring__sim_now(world->run.world) < at && !watch_is_over(watch); round++) {
        EXPECT(round < 1000000);
        const uint64_t before = wring__sim_activity(world->run.world);
        client_world_workers(world);
        wring__sim_alarm(world->run.world, at);
        client_world_advance(world, before);
    }
}

void sim_eyeballs(uint64_t seed) {
    static struct watch watch;
    client_world world;
    wring_duration_ns after;
    client_world_begin_calm(&world, seed);
    plan(&world);
    wring__resolve_set_test(resolve);
    memset(&watch, 0, sizeof watch);
    watch.world = &world;
    watch.config.handler = &watch_handler;
    watch.config.handler_opts = &watch;
    const bool reachable =
        name.result == WRING_OK && reached_after(&after) && after + SLACK < 15 * WRING_NS_PER_SEC;
    watch.dial_result = reachable ? WRING_OK : expected_failure();
    const wring_time_ns start = wring__sim_now(world.run.world);
    watch_connect(&watch, "ws://several.example/");
    if (client_random(&world, 4) == 0) { /* closed on the way */
        rounds_until(&world, &watch, start + client_random(&world, 3 * WRING_NS_PER_SEC));
        watch_close(&watch);
    } else if (reachable) {
        rounds_until(&world, &watch, start + after + SETTLED);
        check_open(&watch, after);
        watch_close(&watch);
    }
    rounds_until(&world, &watch, start + 3 * NAME_MAX_NS);
    EXPECT(watch.closes == 1);
    EXPECT(watch.asked_to_close || watch.last == watch.dial_result);
    watch_give_up(&watch);
    client_world_end(&world);
    wring__resolve_set_test(NULL);
}
