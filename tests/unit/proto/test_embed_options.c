/* SPDX-License-Identifier: Apache-2.0
 *
 * What wring_embed_accept refuses, by name: see wring/embed.h.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base.h"
#include "wring/deflate.h"
#include "wring/embed.h"
#include "wring/http.h"

static unsigned closes;

static wring_result sink_send(void *handle, wring_bytes bytes) {
    (void)handle;
    (void)bytes;
    return WRING_OK;
}

static wring_result sink_activate(void *handle) {
    (void)handle;
    return WRING_OK;
}

static void sink_close(void *handle) {
    (void)handle;
    closes++;
}

static const wring_transport sink = {.struct_size = sizeof sink,
                                     .name = "sink",
                                     .send = sink_send,
                                     .activate = sink_activate,
                                     .close = sink_close};
static const wring_handler deaf = {.struct_size = sizeof deaf, .name = "deaf"};

/* Refused: nothing was called, and the stream is the embedder's. */
static void expect_refused(const wring_embed_options *options, wring_result want,
                           const char *named) {
    wring_embed *embed = NULL;
    wring_error error = {.text = ""};
    closes = 0;
    cr_expect_eq(wring_embed_accept(options, 1, &embed, &error), want, "%s", named);
    cr_expect_not_null(strstr(error.text, named), "%s: %s", named, error.text);
    cr_expect_null(embed);
    cr_expect_eq(closes, 0u);
}

Test(embed_options, what_is_needed_and_missing_is_named) {
    const wring_embed_options whole = {
        .struct_size = sizeof whole, .transport = &sink, .handler = &deaf};
    wring_embed_options options = whole;
    options.transport = NULL;
    expect_refused(&options, WRING_ERR_INVALID_ARGUMENT, "transport");
    options = whole;
    options.handler = NULL;
    expect_refused(&options, WRING_ERR_INVALID_ARGUMENT, "handler");
    options = whole;
    options.role = (wring_role)7;
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "role");
    wring_transport lame = sink;
    options = whole;
    options.transport = &lame;
    lame.send = NULL;
    expect_refused(&options, WRING_ERR_INVALID_ARGUMENT, "transport 'sink'");
    lame = sink;
    lame.activate = NULL;
    lame.name = NULL;
    expect_refused(&options, WRING_ERR_INVALID_ARGUMENT, "activate");
    lame = sink;
    lame.close = NULL;
    expect_refused(&options, WRING_ERR_INVALID_ARGUMENT, "close");
}

Test(embed_options, deflate_needs_its_parameters) {
    wring_deflate *deflate;
    cr_assert_eq(wring_deflate_create(NULL, &deflate, NULL), WRING_OK);
    const wring_embed_options options = {
        .struct_size = sizeof options, .transport = &sink, .handler = &deaf, .deflate = deflate};
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "deflate_params");
    wring_deflate_destroy(deflate);
}

/* Each record that the options point to, without a size. */
Test(embed_options, a_record_without_struct_size_is_named) {
    const wring_embed_options whole = {
        .struct_size = sizeof whole, .transport = &sink, .handler = &deaf};
    wring_embed_options options = whole;
    options.struct_size = 0;
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "wring_embed_options");
    wring_transport transport_of_none = sink;
    transport_of_none.struct_size = 0;
    options = whole;
    options.transport = &transport_of_none;
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "wring_transport");
    wring_handler handler_of_none = deaf;
    handler_of_none.struct_size = 0;
    options = whole;
    options.handler = &handler_of_none;
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "wring_handler");
    const wring_request request_of_none = {.struct_size = 0};
    options = whole;
    options.request = &request_of_none;
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "wring_request");
    const wring_session_config session_of_none = {.struct_size = 0};
    options = whole;
    options.session = &session_of_none;
    expect_refused(&options, WRING_ERR_INVALID_CONFIG, "wring_session_config");
}

/* A record of a program that knows more than this library. */
struct newer {
    union {
        uint32_t struct_size;
        wring_embed_options options;
        wring_transport transport;
        wring_handler handler;
        wring_session_config session;
        wring_request request;
    };
    uint64_t more;
};

static wring_result accept_newer(uint64_t more, wring_error *error) {
    struct newer options = {.options = {.struct_size = sizeof options}, .more = more};
    struct newer transport_of = {.transport = sink};
    struct newer handler_of = {.handler = deaf};
    struct newer session = {.session = {.idle_timeout_ms = 7}};
    struct newer request = {.request = {.path = wring_str("/")}};
    wring_embed *embed = NULL;
    transport_of.struct_size = handler_of.struct_size = sizeof transport_of;
    session.struct_size = request.struct_size = sizeof session;
    options.options.transport = &transport_of.transport;
    options.options.handler = &handler_of.handler;
    options.options.session = &session.session;
    options.options.request = &request.request;
    const wring_result result = wring_embed_accept(&options.options, 1, &embed, error);
    if (result == WRING_OK) {
        cr_expect_eq(wring_embed_deadline_ns(embed), 1 + 7 * WRING_NS_PER_MS);
        wring_embed_fail(embed, WRING_ERR_TRUNCATED, 2);
    }
    return result;
}

Test(embed_options, records_of_a_newer_program_are_taken_when_the_rest_is_zero) {
    wring_error error = {.text = ""};
    cr_expect_eq(accept_newer(0, &error), WRING_OK, "%s", error.text);
    cr_expect_eq(accept_newer(1, &error), WRING_ERR_INVALID_CONFIG);
    cr_expect_not_null(strstr(error.text, "wring_embed_options"), "%s", error.text);
}
