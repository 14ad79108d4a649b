/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that was built with other headers than the library: run.sh makes older ones, whose
 * records end earlier, and newer ones with a field behind them, which it names FUTURE. What an
 * older program says is taken; what a newer one says is taken as long as the new field is zero, and
 * the sentence that refuses it names the record. Exit code 0: all is as it has to be.
 */
#include <stdio.h>
#include <string.h>
#include <wring/wring.h>

static int failures;

static void expect(int is_right, const char *record, const char *what) {
    if (!is_right) {
        fprintf(stderr, "%s: %s\n", record, what);
        failures++;
    }
}

/* ---- one of each record ---------------------------------------------------------------------- */

static struct {
    wring_handler handler;
    wring_session_config session;
    wring_deflate_config deflate;
    wring_policy policy;
    wring_route routes[2];
    wring_topic_rule rules[2];
    wring_server_config server;
    wring_machine_config machine;
    wring_transport transport;
    wring_request request;
    wring_embed_options embed;
    wring_client_config client;
    wring_upgrade_options upgrade;
    wring_upgrade_offer offer;
} all;

static wring_result stream_send(void *stream, wring_bytes bytes) {
    (void)stream;
    (void)bytes;
    return WRING_OK;
}

static wring_result stream_activate(void *stream) {
    (void)stream;
    return WRING_OK;
}

static void stream_close(void *stream) {
    (void)stream;
}

#define SIZED(type) .struct_size = sizeof(type)

static void server_records(void) {
    all.handler = (wring_handler){SIZED(wring_handler), .name = "none"};
    all.session = (wring_session_config){SIZED(wring_session_config), .message_bytes_max = 1000};
    all.deflate = (wring_deflate_config){SIZED(wring_deflate_config), .level = 3};
    all.policy = (wring_policy){SIZED(wring_policy), .session = &all.session,
                                .deflate = &all.deflate, .age_max_ms = 9};
    for (int i = 0; i < 2; i++) { /* the second is found only by the right stride */
        all.routes[i] = (wring_route){SIZED(wring_route), .path = i == 0 ? "/a" : "/b",
                                      .handler = &all.handler};
        all.rules[i] = (wring_topic_rule){SIZED(wring_topic_rule), .name = i == 0 ? "a" : "b"};
    }
    all.server = (wring_server_config){SIZED(wring_server_config), .workers = 1,
                                       .routes = all.routes,       .route_count = 2,
                                       .policy = &all.policy,      .topic_rules = all.rules,
                                       .topic_rule_count = 2};
}

static void other_records(void) {
    all.machine = (wring_machine_config){SIZED(wring_machine_config), .session = &all.session};
    all.transport = (wring_transport){SIZED(wring_transport), .name = "none", .send = stream_send,
                                      .activate = stream_activate, .close = stream_close};
    all.request = (wring_request){SIZED(wring_request), .path = wring_str("/")};
    all.embed = (wring_embed_options){SIZED(wring_embed_options), .transport = &all.transport,
                                      .handler = &all.handler, .request = &all.request,
                                      .session = &all.session};
    all.client = (wring_client_config){SIZED(wring_client_config), .handler = &all.handler,
                                       .session = &all.session, .deflate = &all.deflate};
    all.upgrade = (wring_upgrade_options){SIZED(wring_upgrade_options)};
    all.offer = (wring_upgrade_offer){SIZED(wring_upgrade_offer), .host = "h", .target = "/"};
}

/* ---- what is made of them -------------------------------------------------------------------- */

static wring_result server_make(wring_error *error) {
    wring_server *server = NULL;
    const wring_result result = wring_server_create(&all.server, &server, error);
    wring_server_destroy(server);
    return result;
}

static wring_result machine_make(wring_error *error) {
    wring_machine *machine = NULL;
    const wring_result result = wring_machine_create(&all.machine, &machine, error);
    wring_machine_destroy(machine);
    return result;
}

static wring_result embed_make(wring_error *error) {
    wring_embed *embed;
    const wring_result result = wring_embed_accept(&all.embed, 1, &embed, error);
    if (result == WRING_OK) {
        wring_embed_fail(embed, WRING_ERR_TRUNCATED, 2);
    }
    return result;
}

/* No loop has this number: its configuration was good when that is what is told. */
static wring_result client_make(wring_error *error) {
    wring_client *client;
    const wring_result result =
        wring_client_create(WRING_LOOP_NONE, "ws://127.0.0.1/", &all.client, &client, error);
    return result == WRING_ERR_CLOSED ? WRING_OK : result;
}

static wring_result deflate_make(wring_error *error) {
    wring_deflate *deflate = NULL;
    const wring_result result = wring_deflate_create(&all.deflate, &deflate, error);
    wring_deflate_destroy(deflate);
    return result;
}

static void taken(const char *what, wring_result (*make)(wring_error *error)) {
    wring_error error = {.text = ""};
    expect(make(&error) == WRING_OK, what, error.text);
}

static void all_are_taken(void) {
    taken("server", server_make);
    taken("machine", machine_make);
    taken("embed", embed_make);
    taken("client", client_make);
    taken("deflate", deflate_make);
}

/* ---- what is received ------------------------------------------------------------------------ */

static void stats_are_of_this_size(void) {
    wring_server *server;
    wring_deflate_stats deflate;
    wring_server_stats stats;
    memset(&deflate, 0xFF, sizeof deflate); /* nothing but the size and the pointer is looked at */
    memset(&stats, 0xFF, sizeof stats);
    deflate.struct_size = sizeof deflate;
    stats.struct_size = sizeof stats;
    stats.deflate = &deflate;
    if (wring_server_create(&all.server, &server, NULL) != WRING_OK) {
        expect(0, "wring_server_config", "is refused");
        return;
    }
    expect(wring_server_get_stats(server, &stats) == WRING_OK, "wring_server_stats", "are refused");
    expect(stats.struct_size == sizeof stats && stats.connections == 0 && stats.deflate == &deflate,
           "wring_server_stats", "are not of this program's size");
    expect(deflate.struct_size == sizeof deflate && deflate.tx_messages == 0, "wring_deflate_stats",
           "are not of this program's size");
#ifdef FUTURE
    expect(stats.FUTURE == 0, "wring_server_stats", "what only this program knows is not zero");
    expect(deflate.FUTURE == 0, "wring_deflate_stats", "what only this program knows is not zero");
#endif
    deflate.struct_size = 0;
    expect(wring_server_get_stats(server, &stats) == WRING_ERR_INVALID_ARGUMENT,
           "wring_deflate_stats", "without a size are taken");
    wring_server_destroy(server);
}

static void an_end_is_of_this_size(void) {
    wring_machine *machine;
    wring_end end;
    memset(&end, 0xFF, sizeof end);
    end.struct_size = sizeof end;
    if (wring_machine_create(NULL, &machine, NULL) != WRING_OK) {
        expect(0, "wring_machine_config", "is refused");
        return;
    }
    wring_machine_fail(machine, WRING_ERR_TRUNCATED);
    expect(wring_machine_get_end(machine, &end) == WRING_OK && end.struct_size == sizeof end &&
               end.result == WRING_ERR_TRUNCATED && end.close_code == WRING_CLOSE_ABNORMAL,
           "wring_end", "is not of this program's size");
#ifdef FUTURE
    expect(end.FUTURE == 0, "wring_end", "what only this program knows is not zero");
#endif
    wring_machine_destroy(machine);
}

static void a_request_is_of_this_size(void) {
    static const char head[] = "GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    struct {
        wring_request request;
        uint64_t behind;
    } parsed;
    wring_h1_upgrade_info info = {SIZED(wring_h1_upgrade_info)};
    wring_header list[WRING_HTTP_FIELDS_MAX];
    size_t len;
    memset(&parsed, 0xFF, sizeof parsed);
    parsed.request.struct_size = sizeof parsed.request;
    expect(wring_h1_request_parse(wring_str(head), list, &parsed.request, &len) == WRING_OK &&
               parsed.request.struct_size == sizeof parsed.request,
           "wring_request", "is not of this program's size");
    expect(parsed.behind == UINT64_MAX, "wring_request", "is longer than this program knows it");
    expect(wring_h1_request_validate(parsed.request.method, parsed.request.headers, &all.upgrade,
                                     &info) == WRING_OK &&
               info.struct_size == sizeof info,
           "wring_h1_upgrade_info", "is not of this program's size");
}

/* ---- what only a newer program can say ------------------------------------------------------- */

#ifdef FUTURE
static void refused(const char *record, uint64_t *future,
                    wring_result (*make)(wring_error *error)) {
    wring_error error = {.text = ""};
    *future = UINT64_C(1) << 63; /* its last byte */
    expect(make(&error) == WRING_ERR_INVALID_CONFIG, record, "a field nobody knows was taken");
    expect(strstr(error.text, record) != NULL && strstr(error.text, "newer library") != NULL,
           record, error.text);
    *future = 0;
}

static wring_result offer_make(wring_error *error) {
    char out[512];
    size_t len;
    const wring_result result =
        wring_h1_request_write(&all.offer, "AAAAAAAAAAAAAAAAAAAAAA==", out, sizeof out, &len);
    (void)error;
    return result;
}

static void all_are_refused(void) {
    refused("wring_server_config", &all.server.FUTURE, server_make);
    refused("wring_handler", &all.handler.FUTURE, server_make);
    refused("wring_handler", &all.handler.FUTURE, embed_make);
    refused("wring_handler", &all.handler.FUTURE, client_make);
    refused("wring_route", &all.routes[1].FUTURE, server_make);
    refused("wring_topic_rule", &all.rules[1].FUTURE, server_make);
    refused("wring_policy", &all.policy.FUTURE, server_make);
    refused("wring_session_config", &all.session.FUTURE, server_make);
    refused("wring_session_config", &all.session.FUTURE, machine_make);
    refused("wring_session_config", &all.session.FUTURE, embed_make);
    refused("wring_session_config", &all.session.FUTURE, client_make);
    refused("wring_deflate_config", &all.deflate.FUTURE, server_make);
    refused("wring_deflate_config", &all.deflate.FUTURE, client_make);
    refused("wring_deflate_config", &all.deflate.FUTURE, deflate_make);
    refused("wring_machine_config", &all.machine.FUTURE, machine_make);
    refused("wring_transport", &all.transport.FUTURE, embed_make);
    refused("wring_request", &all.request.FUTURE, embed_make);
    refused("wring_embed_options", &all.embed.FUTURE, embed_make);
    refused("wring_client_config", &all.client.FUTURE, client_make);
    all.offer.FUTURE = 1; /* nothing to tell it with: only a result */
    expect(offer_make(NULL) == WRING_ERR_INVALID_ARGUMENT, "wring_upgrade_offer",
           "a field nobody knows was taken");
    all.offer.FUTURE = 0;
    expect(offer_make(NULL) == WRING_OK, "wring_upgrade_offer", "is refused");
}
#endif

int main(void) {
    server_records();
    other_records();
    all_are_taken();
    stats_are_of_this_size();
    an_end_is_of_this_size();
    a_request_is_of_this_size();
#ifdef FUTURE
    all_are_refused();
    all_are_taken();
#endif
    return failures == 0 ? 0 : 1;
}
