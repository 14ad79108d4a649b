/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of routes make them of.
 */
#ifndef WRING_TESTS_ROUTES_MAKE_H
#define WRING_TESTS_ROUTES_MAKE_H

#include <criterion/criterion.h>

#include "server/routes.h"

static const wring_handler handler_a = {.struct_size = sizeof handler_a, .name = "a"};

static void answer(wring_exchange *exchange, const wring_request *request, void *opts) {
    (void)exchange;
    (void)request;
    (void)opts;
}

static const wring_http_handler http = {.struct_size = sizeof http, .request = answer};

#define ROUTE(...)                                                                                 \
    { .struct_size = sizeof(wring_route), __VA_ARGS__ }

static wring_server_config adopted(wring_server_config in) {
    wring_server_config out = {.struct_size = sizeof out};
    in.struct_size = sizeof in;
    cr_assert_eq(wring_server_config_adopt(&in, &out, NULL), WRING_OK);
    return out;
}

#endif
