/* SPDX-License-Identifier: Apache-2.0
 *
 * The negotiation of permessage-deflate: RFC 7692 5 and 7.1, one test a rule; offers and answers
 * as tables.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "proto/deflate.h"

static wring_headers headers_of(wring_header *header, const char *value) {
    *header = (wring_header){wring_str("Sec-WebSocket-Extensions"), wring_str(value)};
    return (wring_headers){header, 1};
}

static wring_deflate_config config_of(bool server_takeover, bool client_takeover,
                                      unsigned server_bits, unsigned client_bits) {
    wring_deflate_config config = {.struct_size = sizeof config,
                                   .server_context_takeover = server_takeover,
                                   .client_context_takeover = client_takeover,
                                   .server_max_window_bits = (uint8_t)server_bits,
                                   .client_max_window_bits = (uint8_t)client_bits};
    wring_deflate_config adopted = {.struct_size = sizeof adopted};
    cr_assert_eq(wring_deflate_config_adopt(&config, &adopted, NULL), WRING_OK);
    return adopted;
}

/* The response to an offer, "" when it is declined. */
static const char *answer(const char *offer, wring_deflate_config config) {
    static char text[WRING_DEFLATE_TEXT_MAX];
    wring_header header;
    wring_deflate_params params;
    if (!wring_deflate_negotiate(headers_of(&header, offer), &config, &params)) {
        return "";
    }
    const wring_bytes view = wring_deflate_response(&params, text);
    cr_assert(wring_bytes_equal(view, wring_str(text)));
    return text;
}

struct row {
    const char *offer;
    const char *answer;
};

static void check(const struct row *rows, size_t count, wring_deflate_config config) {
    for (size_t i = 0; i < count; i++) {
        cr_expect_str_eq(answer(rows[i].offer, config), rows[i].answer, "%s -> %s", rows[i].offer,
                         answer(rows[i].offer, config));
    }
}

#define PMD       "permessage-deflate"
#define NO_SERVER "; server_no_context_takeover"
#define NO_CLIENT "; client_no_context_takeover"

Test(deflate_negotiate, a_server_answers_every_combination_of_parameters) {
    static const struct row rows[] = {
        {PMD, PMD},
        {PMD NO_SERVER, PMD NO_SERVER},
        {PMD NO_CLIENT, PMD NO_CLIENT},
        {PMD NO_CLIENT NO_SERVER, PMD NO_SERVER NO_CLIENT},
        {PMD "; server_max_window_bits=10", PMD "; server_max_window_bits=10"},
        {PMD "; server_max_window_bits=15", PMD "; server_max_window_bits=15"},
        {PMD "; client_max_window_bits", PMD},
        {PMD "; client_max_window_bits=9", PMD "; client_max_window_bits=9"},
        {PMD "; client_max_window_bits=15", PMD},
        {PMD "; client_max_window_bits=11; server_max_window_bits=12" NO_SERVER,
         PMD NO_SERVER "; server_max_window_bits=12; client_max_window_bits=11"},
        {PMD "; server_max_window_bits=\"10\"", PMD "; server_max_window_bits=10"},
        {"  permessage-deflate ;server_no_context_takeover ; server_max_window_bits = 9 ",
         PMD NO_SERVER "; server_max_window_bits=9"},
        {"PerMessage-Deflate; CLIENT_no_context_takeover", PMD NO_CLIENT},
    };
    check(rows, sizeof rows / sizeof *rows, config_of(true, true, 15, 15));
}

Test(deflate_negotiate, a_server_has_wishes_of_its_own) {
    static const struct row rows[] = {
        {PMD, PMD NO_SERVER NO_CLIENT},
        /* a window is not limited that the client did not say it can limit: 7.1.2.2 */
        {PMD "; client_max_window_bits", PMD NO_SERVER NO_CLIENT "; client_max_window_bits=10"},
        {PMD "; client_max_window_bits=9", PMD NO_SERVER NO_CLIENT "; client_max_window_bits=9"},
        {PMD "; server_max_window_bits=15", PMD NO_SERVER NO_CLIENT "; server_max_window_bits=11"},
        {PMD "; server_max_window_bits=9", PMD NO_SERVER NO_CLIENT "; server_max_window_bits=9"},
    };
    check(rows, sizeof rows / sizeof *rows, config_of(false, false, 11, 10));
}

Test(deflate_negotiate, c5_an_offer_that_is_wrong_is_declined_and_the_handshake_goes_on) {
    static const char *const offers[] = {
        PMD "; server_max_window_bits=7",
        PMD "; server_max_window_bits=16",
        PMD "; server_max_window_bits=08",
        PMD "; server_max_window_bits=0",
        PMD "; server_max_window_bits=",
        PMD "; server_max_window_bits",
        PMD "; server_max_window_bits=ten",
        PMD "; server_max_window_bits=1000",
        PMD "; server_max_window_bits=-9",
        PMD "; server_max_window_bits=\"10",
        PMD "; server_max_window_bits=\"\"",
        PMD "; server_max_window_bits=\"1\\0\"",
        PMD "; client_max_window_bits=7",
        PMD "; client_max_window_bits=16",
        PMD "; client_max_window_bits=",
        PMD "; client_max_window_bits=9x",
        PMD NO_SERVER "=1",
        PMD NO_CLIENT "=true",
        PMD NO_SERVER NO_SERVER,
        PMD NO_CLIENT NO_CLIENT,
        PMD "; client_max_window_bits; client_max_window_bits=10",
        PMD "; server_max_window_bits=10; server_max_window_bits=10",
        PMD "; mem_level=8",
        PMD "; ",
        PMD ";; server_no_context_takeover",
        PMD " server_no_context_takeover",
        PMD "x",
        "x-webkit-deflate-frame",
        "deflate, gzip",
        "",
        ",,,",
        ";",
        "=",
    };
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        cr_expect_str_eq(answer(offers[i], config_of(true, true, 15, 15)), "", "%s", offers[i]);
    }
}

Test(deflate_negotiate, several_offers_are_tried_in_order) {
    static const struct row rows[] = {
        {PMD "; server_max_window_bits=99, " PMD, PMD},
        {PMD "; x=1, " PMD NO_SERVER ", " PMD NO_CLIENT, PMD NO_SERVER},
        {"foo; a=\"x, " PMD "; y\", " PMD NO_CLIENT, PMD NO_CLIENT},
    };
    check(rows, sizeof rows / sizeof *rows, config_of(true, true, 15, 15));
    const wring_header two[] = {
        {wring_str("Sec-WebSocket-Extensions"), wring_str("permessage-deflate; bogus")},
        {wring_str("sec-websocket-extensions"), wring_str("permessage-deflate")}};
    const wring_deflate_config config = config_of(true, true, 15, 15);
    wring_deflate_params params;
    cr_expect(wring_deflate_negotiate((wring_headers){two, 2}, &config, &params));
    cr_expect_not(wring_deflate_negotiate((wring_headers){two, 1}, &config, &params));
}

Test(deflate_negotiate, c4_a_window_of_8_is_answered_and_needs_no_takeover) {
    cr_expect_str_eq(answer(PMD "; server_max_window_bits=8", config_of(true, true, 15, 15)),
                     PMD NO_SERVER "; server_max_window_bits=8");
    cr_expect_str_eq(answer(PMD "; client_max_window_bits=8", config_of(true, true, 15, 15)),
                     PMD "; client_max_window_bits=8");
}

/* ---- client ---------------------------------------------------------------------------------- */

Test(deflate_negotiate, a_client_offers_what_its_configuration_says) {
    char text[WRING_DEFLATE_TEXT_MAX];
    wring_deflate_config config = config_of(true, true, 15, 15);
    wring_deflate_offer(&config, text);
    cr_expect_str_eq(text, PMD "; client_max_window_bits");
    config = config_of(false, false, 10, 11);
    const wring_bytes view = wring_deflate_offer(&config, text);
    cr_expect(wring_bytes_equal(view, wring_str(text)));
    cr_expect_str_eq(text, PMD NO_SERVER NO_CLIENT
                     "; server_max_window_bits=10; client_max_window_bits=11");
}

static wring_result respond(const char *response, wring_deflate_config config,
                            wring_deflate_params *params, bool *accepted) {
    wring_header header;
    wring_error error;
    wring_result result = wring_deflate_response_parse(headers_of(&header, response), &config,
                                                       false, params, accepted, &error);
    cr_expect(result == WRING_OK || (error.code == result && error.text[0] != 0));
    return result;
}

Test(deflate_negotiate, a_client_takes_what_a_response_says) {
    wring_deflate_params p;
    bool accepted;
    const wring_deflate_config both = config_of(true, true, 15, 15);
    cr_assert_eq(respond(PMD, both, &p, &accepted), WRING_OK);
    cr_expect(accepted && !p.server_no_context_takeover && !p.client_no_context_takeover);
    cr_expect(p.server_max_window_bits == 15 && p.client_max_window_bits == 15);
    cr_assert_eq(respond(PMD NO_SERVER NO_CLIENT
                         "; server_max_window_bits=9; client_max_window_bits=10",
                         both, &p, &accepted),
                 WRING_OK);
    cr_expect(accepted && p.server_no_context_takeover && p.client_no_context_takeover);
    cr_expect(p.server_max_window_bits == 9 && p.client_max_window_bits == 10);
    wring_header other = {wring_str("Server"), wring_str("x")};
    cr_assert_eq(
        wring_deflate_response_parse((wring_headers){&other, 1}, &both, false, &p, &accepted, NULL),
        WRING_OK);
    cr_expect_not(accepted);
}

Test(deflate_negotiate, a_client_that_may_not_take_over_does_not_whatever_the_response_says) {
    wring_deflate_params p;
    bool accepted;
    cr_assert_eq(respond(PMD, config_of(true, false, 15, 12), &p, &accepted), WRING_OK);
    cr_expect(p.client_no_context_takeover && p.client_max_window_bits == 12);
}

Test(deflate_negotiate, a_response_that_is_wrong_has_its_own_error) {
    static const struct {
        const char *response;
        wring_result result;
    } rows[] = {
        {"foo", WRING_ERR_UNEXPECTED_EXTENSION},
        {PMD ", foo", WRING_ERR_UNEXPECTED_EXTENSION},
        {PMD ", " PMD, WRING_ERR_BAD_EXTENSION},
        {PMD "; server_max_window_bits=16", WRING_ERR_BAD_EXTENSION},
        {PMD "; server_max_window_bits", WRING_ERR_BAD_EXTENSION},
        {PMD "; server_max_window_bits=x", WRING_ERR_BAD_EXTENSION},
        {PMD "; client_max_window_bits", WRING_ERR_BAD_EXTENSION},
        {PMD "; client_max_window_bits=7", WRING_ERR_BAD_EXTENSION},
        {PMD NO_SERVER NO_SERVER, WRING_ERR_BAD_EXTENSION},
        {PMD NO_SERVER "=1", WRING_ERR_BAD_EXTENSION},
        {PMD "; level=9", WRING_ERR_BAD_EXTENSION},
        {PMD ";", WRING_ERR_BAD_EXTENSION},
    };
    wring_deflate_params p;
    bool accepted;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_eq(respond(rows[i].response, config_of(true, true, 15, 15), &p, &accepted),
                     rows[i].result, "%s", rows[i].response);
    }
}

Test(deflate_negotiate, a_response_that_contradicts_the_offer_is_a_mismatch) {
    wring_deflate_params p;
    bool accepted;
    cr_expect_eq(respond(PMD, config_of(false, true, 15, 15), &p, &accepted),
                 WRING_ERR_EXTENSION_MISMATCH);
    cr_expect_eq(respond(PMD, config_of(true, true, 10, 15), &p, &accepted),
                 WRING_ERR_EXTENSION_MISMATCH);
    cr_expect_eq(
        respond(PMD "; server_max_window_bits=11", config_of(true, true, 10, 15), &p, &accepted),
        WRING_ERR_EXTENSION_MISMATCH);
    cr_expect_eq(
        respond(PMD "; client_max_window_bits=12", config_of(true, true, 15, 11), &p, &accepted),
        WRING_ERR_EXTENSION_MISMATCH);
}

Test(deflate_negotiate, every_answer_of_ours_is_accepted_by_our_client) {
    for (unsigned bits = 0; bits < 8 * 8 * 8 * 8; bits++) {
        for (unsigned takeovers = 0; takeovers < 16; takeovers++) {
            const wring_deflate_config client =
                config_of(takeovers & 1, takeovers & 2, 8 + bits % 8, 8 + bits / 8 % 8);
            const wring_deflate_config server =
                config_of(takeovers & 4, takeovers & 8, 8 + bits / 64 % 8, 8 + bits / 512 % 8);
            char offer[WRING_DEFLATE_TEXT_MAX], text[WRING_DEFLATE_TEXT_MAX];
            wring_header header;
            wring_deflate_params said, heard;
            bool accepted;
            wring_deflate_offer(&client, offer);
            cr_assert(wring_deflate_negotiate(headers_of(&header, offer), &server, &said));
            wring_deflate_response(&said, text);
            cr_assert_eq(respond(text, client, &heard, &accepted), WRING_OK, "%s -> %s", offer,
                         text);
            cr_assert(accepted);
            /* neither end sends with more than the other keeps */
            cr_assert(heard.server_max_window_bits >= said.server_max_window_bits);
            cr_assert(said.client_max_window_bits >= heard.client_max_window_bits);
            cr_assert(heard.server_no_context_takeover <= said.server_no_context_takeover);
            cr_assert(said.client_no_context_takeover <= heard.client_no_context_takeover);
        }
    }
}

Test(deflate_negotiate, a_configuration_names_its_first_bad_field) {
    wring_error error;
    wring_deflate_config out = {.struct_size = sizeof out};
    wring_deflate_config config = {.struct_size = sizeof config, .server_max_window_bits = 7};
    cr_expect_eq(wring_deflate_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    cr_expect_not_null(strstr(error.text, "server_max_window_bits"));
    config = (wring_deflate_config){.struct_size = sizeof config, .client_max_window_bits = 16};
    cr_expect_eq(wring_deflate_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    config = (wring_deflate_config){.struct_size = sizeof config, .level = 10};
    cr_expect_eq(wring_deflate_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    config = (wring_deflate_config){.struct_size = sizeof config, .mem_level = 10};
    cr_expect_eq(wring_deflate_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    config = (wring_deflate_config){.struct_size = sizeof config, .strategy = 5};
    cr_expect_eq(wring_deflate_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    config = (wring_deflate_config){0};
    cr_expect_eq(wring_deflate_config_adopt(&config, &out, &error), WRING_ERR_INVALID_CONFIG);
    cr_expect_eq(wring_deflate_config_adopt(NULL, &out, &error), WRING_OK);
    cr_expect(out.message_bytes_min == 256 && out.inflated_bytes_max == 64 << 20);
    cr_expect_not(out.server_context_takeover || out.client_context_takeover);
}
