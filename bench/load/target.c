/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the load goes: URL, name, source addresses, the upgrade request made once; and whether this
 * machine can open that many connections, before it tries.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/load/engine.h"
#include "client/text.h"

#define REQUEST_MAX (64 * 1024)
#define TOPIC_MARK  "{topic}"
/* Of the ports for outgoing connections some are always taken by others. */
#define PORT_SHARE 0.95
/* The kernel tries every second port first, and when these are taken it walks past all of them at
 * each connect: beyond half of the ports of an address connecting gets very slow. */
#define PORT_SHARE_FAST 0.45
/* Descriptors of the process beside its connections: rings, files, the one that is being dialled.
 */
#define DESCRIPTORS_OWN 64
/* Memory of one connection: the socket's in the kernel, ours, TLS. HTTP/2: a stream's, and what the
 * connection has beside its streams. */
#define KERNEL_BYTES 5000u
#define LINK_BYTES   700u
#define TLS_BYTES    20000u
#define STREAM_BYTES 700u
#define HTTP2_BYTES  16000u

uint32_t load_config_connections(const load_config *config) {
    return config->connections + (config->mode == LOAD_FANOUT ? config->publishers : 0);
}

uint32_t load_config_carriers(const load_config *config) {
    const uint32_t sessions = load_config_connections(config);
    return config->http2 ? (sessions - 1) / config->streams + 1 : sessions;
}

/* ---- the request ----------------------------------------------------------------------------- */

static char *topic_fill(const char *text, uint32_t topic) {
    const char *mark = strstr(text, TOPIC_MARK);
    char *out = NULL;
    if (mark == NULL) {
        return strdup(text);
    }
    const int n =
        asprintf(&out, "%.*s%u%s", (int)(mark - text), text, topic, mark + strlen(TOPIC_MARK));
    return n < 0 ? NULL : out;
}

static char *host_header(const wring_url *url, const char *host) {
    char *out = NULL;
    char port[8] = "";
    if (url->port_is_given) {
        (void)snprintf(port, sizeof port, ":%u", url->port);
    }
    const int n = asprintf(&out, url->host_is_ipv6 ? "[%s]%s" : "%s%s", host, port);
    return n < 0 ? NULL : out;
}

/* The URL's user and password as a header, unless one was given by hand. RFC 7617 2 */
static wring_result authorization_make(load_target *target, const load_config *config,
                                       wring_bytes userinfo) {
    char *user = NULL;
    char *password = NULL;
    if (userinfo.len == 0 || wring_headers_count(config->upgrade.extra, "authorization") > 0) {
        return WRING_OK;
    }
    const uint8_t *colon = memchr(userinfo.data, ':', userinfo.len);
    const size_t len = colon == NULL ? userinfo.len : (size_t)(colon - userinfo.data);
    const size_t rest = colon == NULL ? userinfo.len : len + 1;
    wring_result result = wring__percent_decode(wring_bytes_of(userinfo.data, len), &user);
    if (result == WRING_OK) {
        result = wring__percent_decode(wring_bytes_of(userinfo.data + rest, userinfo.len - rest),
                                       &password);
    }
    if (result == WRING_OK) {
        target->authorization = wring__basic_credentials(user, password);
        result = target->authorization == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
    }
    free(user);
    free(password);
    return result;
}

char *load_target_host(const load_target *target, const load_config *config) {
    return config->host != NULL ? strdup(config->host) : host_header(&target->url, target->host);
}

char *load_target_path(const load_target *target, uint32_t topic) {
    const wring_bytes path = target->url.target;
    char *full = NULL;
    if (asprintf(&full, "%s%.*s", path.len > 0 && path.data[0] == '/' ? "" : "/", (int)path.len,
                 (const char *)path.data) < 0) {
        return NULL;
    }
    char *filled = topic_fill(full, topic);
    free(full);
    return filled;
}

wring_upgrade_offer load_target_offer(const load_target *target, const load_config *config,
                                      wring_header *list) {
    wring_upgrade_offer options = config->upgrade;
    if (target->authorization != NULL) {
        for (size_t i = 0; i < options.extra.count; i++) {
            list[i] = options.extra.list[i];
        }
        list[options.extra.count].name = wring_str("Authorization");
        list[options.extra.count++].value = wring_str(target->authorization);
        options.extra.list = list;
    }
    return options;
}

static wring_result request_make(load_target *target, uint32_t topic, const load_config *config,
                                 wring_error *error) {
    static const char key[] = "AAAAAAAAAAAAAAAAAAAAAA==";
    wring_header list[LOAD_HEADERS_MAX + 1];
    wring_upgrade_offer offer = load_target_offer(target, config, list);
    char *host = load_target_host(target, config);
    char *filled = load_target_path(target, topic);
    char *request = malloc(REQUEST_MAX);
    wring_result result =
        host == NULL || filled == NULL || request == NULL ? WRING_ERR_NO_MEMORY : WRING_OK;
    wring_error why = {.text = ""};
    offer.host = host;
    offer.target = filled;
    if (result == WRING_OK) {
        result = wring_h1_request_headers_check(config->upgrade.extra, &why);
    }
    if (result == WRING_OK) {
        result =
            wring_h1_request_write(&offer, key, request, REQUEST_MAX, &target->request_lens[topic]);
    }
    if (result == WRING_OK) {
        const char *at = memmem(request, target->request_lens[topic], key, strlen(key));
        target->key_at[topic] = (size_t)(at - request);
        target->requests[topic] = request;
        request = NULL;
    }
    free(request);
    free(filled);
    free(host);
    return result == WRING_OK
               ? WRING_OK
               : wring_error_set(error, result, 0, "the upgrade request: %s",
                                 why.text[0] == 0 ? wring_result_text(result) : why.text);
}

static wring_result requests_make(load_target *target, const load_config *config,
                                  wring_error *error) {
    target->requests = calloc(target->topics, sizeof *target->requests);
    target->request_lens = calloc(target->topics, sizeof *target->request_lens);
    target->key_at = calloc(target->topics, sizeof *target->key_at);
    if (target->requests == NULL || target->request_lens == NULL || target->key_at == NULL) {
        return wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "out of memory");
    }
    for (uint32_t topic = 0; topic < target->topics; topic++) {
        const wring_result result = request_make(target, topic, config, error);
        if (result != WRING_OK) {
            return result;
        }
    }
    return WRING_OK;
}

/* ---- source addresses ------------------------------------------------------------------------ */

static uint32_t ports_per_source(double share) {
    unsigned from = 32768;
    unsigned to = 60999;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file != NULL) {
        if (fscanf(file, "%u %u", &from, &to) != 2) {
            from = 32768;
            to = 60999;
        }
        fclose(file);
    }
    return (uint32_t)((to - from + 1) * share);
}

static bool is_loopback_v4(const load_address *address) {
    return address->any.sa_family == AF_INET &&
           ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* Connect mode: the server's end of a closed connection keeps the pair of ports for a minute, and a
 * SYN that comes with it again may be dropped and comes once more a second later. */
#define CONNECT_SOURCES 64

/* On loopback every address of 127.0.0.0/8 is ours: as many are taken as the ports need. */
static bool sources_invent(load_target *target, const load_config *config) {
    const uint32_t ports = ports_per_source(PORT_SHARE_FAST);
    const uint32_t needed = (load_config_carriers(config) + ports - 1) / ports;
    const uint32_t count =
        config->mode == LOAD_CONNECT && needed < CONNECT_SOURCES ? CONNECT_SOURCES : needed;
    if (count < 2 || !is_loopback_v4(&target->address)) {
        return true;
    }
    target->sources = calloc(count, sizeof *target->sources);
    for (uint32_t i = 0; i < count && target->sources != NULL; i++) {
        target->sources[i].v4.sin_family = AF_INET;
        target->sources[i].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i);
        target->sources[i].len = sizeof target->sources[i].v4;
    }
    target->source_count = count;
    return target->sources != NULL;
}

static wring_result sources_take(load_target *target, const load_config *config,
                                 wring_error *error) {
    if (config->source_count == 0) {
        return sources_invent(target, config)
                   ? WRING_OK
                   : wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "out of memory");
    }
    target->sources = calloc(config->source_count, sizeof *target->sources);
    for (size_t i = 0; i < config->source_count && target->sources != NULL; i++) {
        if (config->sources[i].any.sa_family == target->address.any.sa_family) {
            target->sources[target->source_count++] = config->sources[i];
        }
    }
    if (target->source_count == 0) {
        return wring_error_set(error, WRING_ERR_INVALID_ARGUMENT, 0,
                               "no source address is of the target's family (IPv%c)",
                               target->address.any.sa_family == AF_INET ? '4' : '6');
    }
    return WRING_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

wring_result load_target_open(load_target *target, const load_config *config,
                              const load_patience *patience, wring_error *error) {
    /* the mark is no legal URL, and "0" in its place reads the same otherwise */
    char *checked = topic_fill(config->url, 0);
    target->url_text = strdup(config->url);
    if (checked == NULL || target->url_text == NULL) {
        free(checked);
        return wring_error_set(error, WRING_ERR_NO_MEMORY, ENOMEM, "out of memory");
    }
    wring_result result = wring_url_parse(wring_str(checked), &target->url);
    if (result != WRING_OK) {
        (void)wring_error_set(error, result, 0,
                              "'%s' is not like ws://host:port/path or wss://host/path",
                              config->url_shown == NULL ? config->url : config->url_shown);
        free(checked);
        return result;
    }
    result = authorization_make(target, config, target->url.userinfo);
    target->host = strndup((const char *)target->url.host.data, target->url.host.len);
    /* views of `checked` end here: what is kept of the target is the part of the text given */
    const size_t at = (size_t)(target->url.target.data - (const uint8_t *)checked);
    target->url.target =
        target->url.target.len == 0 ? wring_str("") : wring_str(target->url_text + at);
    target->url.host = wring_str(target->host == NULL ? "" : target->host);
    target->url.userinfo = wring_str("");
    free(checked);
    if (target->host == NULL || result != WRING_OK) {
        result = target->host == NULL ? WRING_ERR_NO_MEMORY : result;
        return wring_error_set(error, result, 0, "the URL's user or password: %s",
                               wring_result_text(result));
    }
    result = load_address_find(target, patience, error);
    if (result == WRING_OK) {
        result = sources_take(target, config, error);
    }
    if (result == WRING_OK) {
        target->topics = config->topics;
        result = config->http2 ? load_fields_make(target, config, error)
                               : requests_make(target, config, error);
    }
    return result;
}

void load_target_close(load_target *target) {
    for (uint32_t topic = 0; topic < target->topics && target->requests != NULL; topic++) {
        free(target->requests[topic]);
    }
    free(target->requests);
    load_fields_free(target->fields);
    free(target->request_lens);
    free(target->key_at);
    free(target->sources);
    free(target->host);
    free(target->authorization);
    free(target->url_text);
    memset(target, 0, sizeof *target);
}

/* ---- preflight ------------------------------------------------------------------------------- */

static wring_result check_ports(const load_target *target, uint32_t connections,
                                wring_error *error) {
    const uint32_t ports = ports_per_source(PORT_SHARE);
    const uint64_t sources = target->source_count == 0 ? 1 : target->source_count;
    if (connections <= ports * sources) {
        return WRING_OK;
    }
    return wring_error_set(
        error, WRING_ERR_TOO_MANY_CONNECTIONS, 0,
        "%u connections to one address need %u source addresses (%u ports each): give more of "
        "this machine's with --source-ip A,B,C or A-B, or widen "
        "/proc/sys/net/ipv4/ip_local_port_range",
        connections, (connections + ports - 1) / ports, ports);
}

/* Raises the soft limit of descriptors to the hard one, which it returns. */
static uint64_t descriptors_max(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_max;
}

/* A ring's table of sockets is bounded by the limit, but each ring has one: connections beyond the
 * limit take more threads, no more rights. */
static uint32_t threads_needed(uint32_t connections) {
    const uint64_t each = descriptors_max();
    const uint64_t usable = each > 2 * DESCRIPTORS_OWN ? each - DESCRIPTORS_OWN : each;
    return (uint32_t)((connections + usable - 1) / usable);
}

uint32_t load_config_threads(const load_config *config) {
    const uint32_t connections = load_config_carriers(config);
    uint32_t threads = config->threads;
    if (threads == 0) {
        cpu_set_t allowed;
        const int cpus =
            sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 2;
        const uint32_t needed = threads_needed(connections);
        threads = cpus < 4 ? 1 : (uint32_t)cpus / 2;
        threads = threads < needed ? needed : threads;
    }
    threads = threads > LOAD_THREADS_MAX ? LOAD_THREADS_MAX : threads;
    return threads < connections ? threads : connections;
}

/* On epoll a connection is a descriptor of the process, whatever thread has it. */
static wring_result check_descriptors_all(uint32_t connections, wring_error *error) {
    const uint64_t most = descriptors_max();
    if (most > DESCRIPTORS_OWN && connections <= most - DESCRIPTORS_OWN) {
        return WRING_OK;
    }
    return wring_error_set(error, WRING_ERR_TOO_MANY_CONNECTIONS, 0,
                           "%u connections do not fit under the hard limit of %llu descriptors: "
                           "on epoll each is one. Raise it (ulimit -Hn as root, LimitNOFILE=), or "
                           "allow io_uring, which has tables of its own",
                           connections, (unsigned long long)most);
}

static wring_result check_descriptors(uint32_t threads, uint32_t connections, wring_error *error) {
    const uint32_t needed = threads_needed(connections);
    if (needed <= threads) {
        return WRING_OK;
    }
    return wring_error_set(error, WRING_ERR_TOO_MANY_CONNECTIONS, 0,
                           "%u connections with a hard limit of %llu descriptors need %u threads, "
                           "each with a table of its own: give -t %u, or raise the limit (ulimit "
                           "-Hn as root, LimitNOFILE=, /etc/security/limits.conf)",
                           connections, (unsigned long long)descriptors_max(), needed, needed);
}

static uint64_t memory_available(void) {
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kb = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kb * 1024;
}

static wring_result check_memory(const load_config *config, const load_target *target,
                                 wring_error *error) {
    const uint32_t sessions = load_config_connections(config);
    const uint64_t session =
        LINK_BYTES + (config->http2 ? STREAM_BYTES : 0u) + config->pipeline * sizeof(load_awaited);
    const uint64_t carrier =
        KERNEL_BYTES + (target->url.secure ? TLS_BYTES : 0u) + (config->http2 ? HTTP2_BYTES : 0u);
    const uint64_t need = sessions * session + load_config_carriers(config) * carrier;
    const uint64_t have = memory_available();
    if (have == 0 || need <= have) {
        return WRING_OK;
    }
    return wring_error_set(error, WRING_ERR_NO_MEMORY, 0,
                           "%u %s need about %llu MiB of memory here and %llu MiB are "
                           "available: open fewer, or spread them over several machines",
                           sessions, config->http2 ? "sessions" : "connections",
                           (unsigned long long)need >> 20, (unsigned long long)have >> 20);
}

wring_result load_preflight(const load_config *config, const load_target *target, uint32_t threads,
                            wring_error *error) {
    const uint32_t connections = load_config_carriers(config);
    wring_result result = check_ports(target, connections, error);
    if (result == WRING_OK) {
        result = target->backend == &wring__backend_epoll
                     ? check_descriptors_all(connections, error)
                     : check_descriptors(threads, connections, error);
    }
    if (result == WRING_OK) {
        result = check_memory(config, target, error);
    }
    return result;
}
