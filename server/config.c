/* SPDX-License-Identifier: Apache-2.0
 *
 * Defaults and checks of wring_server_config. One function adopts, one names the first bad field.
 */
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "core/sized.h"
#include "io/registry.h"
#include "proto/session.h"
#include "server/cgroup.h"
#include "server/server.h"

#define MEMORY_BUDGET_MIN (1024 * 1024)

static uint32_t cpus_allowed(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > WRING__WORKERS_MAX ? WRING__WORKERS_MAX : (uint32_t)count;
}

static void default_u32(uint32_t *field, uint32_t value) {
    if (*field == 0) {
        *field = value;
    }
}

static wring_result bad(wring_error *error, const char *field, const char *why) {
    return wring_error_set(error, WRING_ERR_INVALID_CONFIG, 0, "server config: %s %s", field, why);
}

static bool is_power_of_two(uint32_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

static wring_result routes_check(const wring_server_config *config, wring_error *error) {
    if (config->handler == NULL && config->route_count == 0) {
        return bad(error, "handler", "is missing: set handler, or routes");
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const wring_route *route = &config->routes[i];
        if (route->path == NULL || (route->path[0] != '/')) {
            return bad(error, "routes", "has a path that does not begin with '/'");
        }
        if ((route->handler == NULL) == (route->respond == NULL)) {
            return bad(error, "routes", "has a route without exactly one of handler and respond");
        }
    }
    return WRING_OK;
}

static bool policy_is_known(wring_slow_policy policy, wring_slow_policy least) {
    return policy >= least && policy <= WRING_SLOW_KEEP_LATEST;
}

static wring_result sending_check(const wring_server_config *config, wring_error *error) {
    if (config->send_hard_bytes <= config->send_soft_bytes) {
        return bad(error, "send_hard_bytes", "is not above send_soft_bytes");
    }
    if (!policy_is_known(config->slow_policy, WRING_SLOW_DISCONNECT)) {
        return bad(error, "slow_policy", "is none of wring_slow_policy");
    }
    for (size_t i = 0; i < config->topic_rule_count; i++) {
        if (config->topic_rules[i].name == NULL ||
            !policy_is_known(config->topic_rules[i].slow_policy, WRING_SLOW_DEFAULT)) {
            return bad(error, "topic_rules", "has a rule without a name, or with no known policy");
        }
    }
    return WRING_OK;
}

static bool rate_is_legal(uint32_t rate) {
    return rate == WRING_OFF || rate <= 1000000000;
}

static wring_result limits_check(const wring_server_config *config, wring_error *error) {
    if (config->memory_budget < MEMORY_BUDGET_MIN) {
        return bad(error, "memory_budget", "is below 1 MiB");
    }
    if (config->max_handshakes != WRING_OFF && config->max_handshakes > WRING__SLOT_MAX) {
        return bad(error, "max_handshakes", "is above 16,777,215");
    }
    if (!rate_is_legal(config->tls_handshake_rate)) {
        return bad(error, "tls_handshake_rate", "is above 1,000,000,000");
    }
    if (!rate_is_legal(config->message_rate)) {
        return bad(error, "message_rate", "is above 1,000,000,000");
    }
    if (!rate_is_legal(config->control_rate)) {
        return bad(error, "control_rate", "is above 1,000,000,000");
    }
    return WRING_OK;
}

static wring_result config_check(const wring_server_config *config, wring_error *error) {
    if (config->tls != NULL) {
        wring_tls_server_config tls;
        const wring_result sized =
            wring__sized_adopt(&tls, sizeof tls, config->tls, sizeof tls.struct_size + 1,
                               "wring_tls_server_config", error);
        if (sized != WRING_OK) {
            return sized;
        }
        if (tls.cert_file == NULL || tls.key_file == NULL) {
            return bad(error, "tls", "needs cert_file and key_file");
        }
    }
    if (config->max_connections > WRING__SLOT_MAX) {
        return bad(error, "max_connections", "is above 16,777,215");
    }
    if (config->backlog > INT32_MAX || config->ring_entries > (1u << 15) ||
        config->mailbox_items > (1u << 24)) {
        return bad(error, "backlog, ring_entries or mailbox_items", "is out of range");
    }
    if (config->workers > WRING__WORKERS_MAX) {
        return bad(error, "workers", "is above 255");
    }
    if (config->max_target_size > UINT16_MAX ||
        config->max_target_size > config->max_handshake_size) {
        return bad(error, "max_target_size", "is above 65,535 or above max_handshake_size");
    }
    if (config->max_handshake_size < 64 || config->max_handshake_size > (1u << 24)) {
        return bad(error, "max_handshake_size", "is below 64 bytes or above 16 MiB");
    }
    if (!is_power_of_two(config->receive_buffers) || config->receive_buffers > 32768) {
        return bad(error, "receive_buffers", "is not a power of two up to 32,768");
    }
    if (config->busy_poll_us > 1000000) {
        return bad(error, "busy_poll_us", "is above a second");
    }
    if (config->receive_buffer_size < 64 || config->receive_buffer_size > (1u << 24)) {
        return bad(error, "receive_buffer_size", "is below 64 bytes or above 16 MiB");
    }
    wring_deflate_config deflate;
    wring_result result = config->deflate == NULL
                              ? WRING_OK
                              : wring_deflate_config_adopt(config->deflate, &deflate, error);
    if (result == WRING_OK) {
        result = sending_check(config, error);
    }
    if (result == WRING_OK) {
        result = limits_check(config, error);
    }
    return result == WRING_OK ? routes_check(config, error) : result;
}

/* Of the machine's memory, or of what its control groups leave the process. */
static uint64_t half_of_memory(void) {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page = sysconf(_SC_PAGESIZE);
    const uint64_t machine =
        pages <= 0 || page <= 0 ? WRING_UNLIMITED : (uint64_t)pages * (uint64_t)page;
    const uint64_t group = wring__cgroup_memory_max("/proc/self/cgroup", "/sys/fs/cgroup");
    const uint64_t memory = wring__min_u64(machine, group);
    if (memory == WRING_UNLIMITED) {
        return WRING_UNLIMITED;
    }
    return memory / 2 < MEMORY_BUDGET_MIN ? MEMORY_BUDGET_MIN : memory / 2;
}

static void limits_defaults(wring_server_config *out) {
    out->memory_budget = out->memory_budget == 0 ? half_of_memory() : out->memory_budget;
    default_u32(&out->max_connections_total, WRING_OFF);
    default_u32(&out->max_connections_per_source, WRING_OFF);
    default_u32(&out->max_handshakes, 16384);
    default_u32(&out->max_handshakes_per_source, WRING_OFF);
    default_u32(&out->tls_handshake_rate, WRING_OFF);
    default_u32(&out->message_rate, WRING_OFF);
    default_u32(&out->message_burst,
                out->message_rate > UINT32_MAX / 2 ? UINT32_MAX : 2 * out->message_rate);
    default_u32(&out->control_rate, 100);
    default_u32(&out->control_burst, 500);
}

static void sending_defaults(wring_server_config *out) {
    const uint64_t pause = out->pause_bytes;
    out->send_soft_bytes = out->send_soft_bytes == 0 ? 64 * 1024 : out->send_soft_bytes;
    if (out->send_hard_bytes == 0) {
        uint64_t hard = pause > UINT64_MAX / 2 ? UINT64_MAX : 2 * pause;
        hard = hard > out->send_soft_bytes ? hard : 2 * out->send_soft_bytes;
        out->send_hard_bytes = hard;
    }
    if (out->slow_policy == WRING_SLOW_DEFAULT) {
        out->slow_policy = WRING_SLOW_DISCONNECT;
    }
    default_u32(&out->slow_timeout_ms, WRING_OFF);
    default_u32(&out->max_age_ms, WRING_OFF);
    default_u32(&out->coalesce_us, WRING_OFF);
}

wring_result wring_server_config_adopt(const wring_server_config *in, wring_server_config *out,
                                       wring_error *error) {
    const wring_server_config none = {0};
    const wring_result sized =
        wring__sized_adopt(out, sizeof *out, in == NULL ? &none : in,
                           offsetof(wring_server_config, host), "wring_server_config", error);
    if (sized != WRING_OK) {
        return sized;
    }
    out->host = out->host == NULL ? "127.0.0.1" : out->host;
    default_u32(&out->workers, cpus_allowed());
    default_u32(&out->handshake_timeout_ms, 15000);
    default_u32(&out->max_handshake_size, 64 * 1024);
    default_u32(&out->max_target_size, 8 * 1024);
    default_u32(&out->max_connections, 1u << 20);
    default_u32(&out->backlog, 4096);
    default_u32(&out->receive_buffers, 1024);
    default_u32(&out->receive_buffer_size, WRING__BUFFER_SIZE_DEFAULT);
    default_u32(&out->ring_entries, 1024);
    default_u32(&out->mailbox_items, 65536);
    default_u32(&out->max_subscriptions, 1024);
    out->pause_bytes = out->pause_bytes == 0 ? UINT64_C(1) << 20 : out->pause_bytes;
    sending_defaults(out);
    limits_defaults(out);
    out->session.struct_size = sizeof out->session;
    out->session.role = WRING_ROLE_SERVER;
    out->session.deflate = NULL; /* negotiated by each connection */
    wring_session_config session = out->session;
    wring_result result = wring__session_config_adopt(&session, &out->session, error);
    return result == WRING_OK ? config_check(out, error) : result;
}
