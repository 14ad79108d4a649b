/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `wring serve` that say what is served to whom: --routes, --allow-publish,
 * --origin, --trusted-proxy. The table of options is in serve_options.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/serve.h"

#define ROUTES_ALL ((1u << SERVE_ROUTES) - 1)

static size_t list_count(char *const *list) {
    size_t count = 0;
    while (list != NULL && list[count] != NULL) {
        count++;
    }
    return count;
}

static serve_texts texts_of(char *const *list) {
    return (serve_texts){(const char *const *)list, list_count(list)};
}

/* ---- --routes -------------------------------------------------------------------------------- */

/* The bit of a route's name; 0 for one that is none. */
static unsigned route_bit(const char *name, size_t len) {
    for (unsigned i = 0; i < SERVE_ROUTES; i++) {
        if (strlen(serve_route_names[i]) == len && memcmp(serve_route_names[i], name, len) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

/* Reads "echo,topic". False after a complaint. */
static bool routes_parse(const char *text, unsigned *routes) {
    *routes = text == NULL ? ROUTES_ALL : 0;
    while (text != NULL) {
        const char *comma = strchr(text, ',');
        const size_t len = comma == NULL ? strlen(text) : (size_t)(comma - text);
        const unsigned bit = route_bit(text, len);
        if (bit == 0) {
            cli_complain("--routes: '%.*s' is no route; there are echo, chat, topic, page and "
                         "health, with commas between them",
                         (int)len, text);
            return false;
        }
        *routes |= bit;
        text = comma == NULL ? NULL : comma + 1;
    }
    if ((*routes & 1u << SERVE_PAGE) != 0 && (*routes & 1u << SERVE_CHAT) == 0) {
        cli_complain("--routes: the page talks over chat; name both or neither");
        return false;
    }
    return true;
}

/* ---- --allow-publish ------------------------------------------------------------------------- */

/* A proxy on this machine brings the clients of others. */
static bool is_for_this_machine(const serve_options *o) {
    return list_count(o->trusted_proxies) == 0 &&
           (o->host == NULL || strncmp(o->host, "127.", 4) == 0 || strcmp(o->host, "::1") == 0);
}

static const char *publish_token(const serve_options *o) {
    const char *token = o->publish_token != NULL ? o->publish_token : getenv("WRING_PUBLISH_TOKEN");
    return token == NULL || token[0] == '\0' ? NULL : token;
}

/* False after a complaint. */
static bool publish_parse(const serve_options *o, serve_publish *publish) {
    static const char *const every[] = {"*"};
    *publish = (serve_publish){texts_of(o->allow_publish), publish_token(o)};
    for (size_t i = 0; i < publish->topics.count; i++) {
        if (strcmp(publish->topics.list[i], "off") != 0) {
            continue;
        }
        if (publish->topics.count > 1) {
            cli_complain("--allow-publish off: give it alone");
            return false;
        }
        publish->topics.count = 0;
        return true;
    }
    if (publish->topics.count == 0 && (is_for_this_machine(o) || publish->token != NULL)) {
        publish->topics = (serve_texts){every, 1};
    }
    return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

bool serve_http_parse(const serve_options *o, serve_app *app) {
    app->origins = texts_of(o->origins);
    return routes_parse(o->routes, &app->routes) && publish_parse(o, &app->publish);
}

void serve_http_config(const serve_options *o, wring_server_config *config) {
    config->trusted_proxies = (const char *const *)o->trusted_proxies;
    config->trusted_proxy_count = list_count(o->trusted_proxies);
}

static void list_free(char **list) {
    for (size_t i = 0; i < list_count(list); i++) {
        free(list[i]);
    }
    free(list);
}

void serve_http_free(serve_options *o) {
    list_free(o->allow_publish);
    list_free(o->origins);
    list_free(o->trusted_proxies);
    free(o->routes);
    free(o->publish_token);
}

static void print_texts(const char *name, serve_texts texts, const char *none) {
    printf("%s = %s", name, texts.count == 0 ? none : "");
    for (size_t i = 0; i < texts.count; i++) {
        printf("%s%s", i == 0 ? "" : " ", texts.list[i]);
    }
    puts("");
}

void serve_http_print(const wring_server_config *config, const serve_app *app) {
    const char *comma = "";
    fputs("routes = ", stdout);
    for (unsigned i = 0; i < SERVE_ROUTES; i++) {
        if ((app->routes & 1u << i) != 0) {
            printf("%s%s", comma, serve_route_names[i]);
            comma = ",";
        }
    }
    puts("");
    print_texts("allow-publish", app->publish.topics, "off");
    printf("publish-token = %s\n", app->publish.token == NULL ? "none" : "set");
    print_texts("origin", app->origins, "own");
    print_texts("trusted-proxy",
                (serve_texts){config->trusted_proxies, config->trusted_proxy_count}, "none");
    cli_print_u64("max-body", config->body_bytes_max);
    cli_print_u64("max-requests", config->exchanges_max);
    cli_print_u32("keep-alive-timeout", config->keep_alive_timeout_ms);
    cli_print_u32("body-timeout", config->body_timeout_ms);
    cli_print_u32("answer-timeout", config->answer_timeout_ms);
}
