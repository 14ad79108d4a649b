/* SPDX-License-Identifier: Apache-2.0
 *
 * The Origin rule of upgrades: who is let in, who is not, and what the log is told.
 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "server/origin.h"

typedef struct upgrade {
    const char *host;
    const char *origin;       /* NULL: none */
    const char *forwarded[2]; /* X-Forwarded-Host headers */
    const char *peer;         /* an IPv4 address; NULL: not known */
    const char *listed;       /* in the route's origins */
} upgrade;

typedef struct fixture {
    wring_header list[8];
    wring_request request;
    wring_route route;
    struct sockaddr_storage peer;
    wring__proxies *proxies;
} fixture;

static void add(fixture *f, const char *name, const char *value) {
    if (value != NULL) {
        f->list[f->request.headers.count++] = (wring_header){wring_str(name), wring_str(value)};
    }
}

/* 10.0.0.0/8 and Unix sockets are proxies. */
static void made(fixture *f, const upgrade *u) {
    static const char *const proxies[] = {"10.0.0.0/8", "unix"};
    *f = (fixture){.request = {.struct_size = sizeof f->request, .host = wring_str(u->host)}};
    f->request.headers.list = f->list;
    add(f, "Host", u->host);
    add(f, "Origin", u->origin);
    add(f, "X-Forwarded-Host", u->forwarded[0]);
    add(f, "x-forwarded-host", u->forwarded[1]);
    f->request.origin = wring_str(u->origin);
    f->route.origins = &u->listed;
    f->route.origin_count = u->listed != NULL;
    f->peer.ss_family = AF_INET;
    if (u->peer != NULL && strcmp(u->peer, "unix") == 0) {
        f->peer.ss_family = AF_UNIX;
    } else if (u->peer != NULL) {
        inet_pton(AF_INET, u->peer, &((struct sockaddr_in *)&f->peer)->sin_addr);
    }
    cr_assert_eq(wring__proxies_init(proxies, 2, &f->proxies, NULL), WRING_OK);
}

static bool is_allowed(const upgrade *u) {
    fixture f;
    made(&f, u);
    const bool result =
        wring__origin_is_allowed(&f.request, &f.route, f.proxies, u->peer == NULL ? NULL : &f.peer);
    wring__proxies_free(f.proxies);
    return result;
}

#define UP(...)                                                                                    \
    { __VA_ARGS__ }

static void expect(const upgrade *rows, size_t count, bool allowed) {
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(is_allowed(&rows[i]), allowed, "row %zu: host %s, origin %s, listed %s", i,
                     rows[i].host, rows[i].origin == NULL ? "-" : rows[i].origin,
                     rows[i].listed == NULL ? "-" : rows[i].listed);
    }
}
#define EXPECT(rows, allowed) expect(rows, sizeof(rows) / sizeof *(rows), allowed)

Test(origin, without_one_or_of_the_requests_host_is_allowed) {
    static const upgrade rows[] = {
        UP(.host = "a.example"),
        UP(.host = "a.example", .origin = "https://a.example"),
        UP(.host = "a.example", .origin = "http://a.example"),
        UP(.host = "a.example:8080", .origin = "https://a.example"),
        UP(.host = "a.example:8080", .origin = "http://a.example:3000"),
        UP(.host = "a.example", .origin = "HTTPS://A.Example"),
        UP(.host = "A.EXAMPLE", .origin = "https://a.example"),
        UP(.host = "127.0.0.1:80", .origin = "http://127.0.0.1"),
        UP(.host = "[::1]:8080", .origin = "http://[::1]:3000"),
        UP(.host = "[0:0:0:0:0:0:0:1]", .origin = "http://[::1]"),
        UP(.host = "[2001:DB8::A]", .origin = "http://[2001:db8:0::a]"),
        UP(.host = "::1", .origin = "http://[::1]"),
        UP(.host = "a.example:", .origin = "https://a.example"),
        UP(.host = "my_host", .origin = "http://my_host:8080"),
        UP(.host = "abc", .origin = "chrome-extension://abc"),
    };
    EXPECT(rows, true);
}

Test(origin, of_another_host_or_malformed_is_refused) {
    static const upgrade rows[] = {
        UP(.host = "a.example", .origin = "https://b.example"),
        UP(.host = "a.example", .origin = "https://a.example.evil"),
        UP(.host = "a.example", .origin = "https://evil-a.example"),
        UP(.host = "a.example", .origin = "https://sub.a.example"),
        UP(.host = "sub.a.example", .origin = "https://a.example"),
        UP(.host = "a.example", .origin = "null"),
        UP(.host = "null", .origin = "null"),
        UP(.host = "a.example", .origin = ""),
        UP(.host = "a.example", .origin = "a.example"),
        UP(.host = "a.example", .origin = "//a.example"),
        UP(.host = "a.example", .origin = "://a.example"),
        UP(.host = "a.example", .origin = "https:a.example"),
        UP(.host = "a.example", .origin = "https://a.example/"),
        UP(.host = "a.example", .origin = "https://a.example/path"),
        UP(.host = "a.example", .origin = "https://evil@a.example"),
        UP(.host = "a.example", .origin = "https://a.example?x"),
        UP(.host = "a.example", .origin = "https://a.example:0"),
        UP(.host = "a.example", .origin = "https://a.example:65536"),
        UP(.host = "a.example", .origin = "https://a.example:8o"),
        UP(.host = "a.example", .origin = "https://a.example:80:80"),
        UP(.host = "a.example", .origin = "https://a.example https://a.example"),
        UP(.host = "a.example", .origin = "https://a.example, https://a.example"),
        UP(.host = "a.example", .origin = "1https://a.example"),
        UP(.host = "a.example", .origin = "https://a.example\x01"),
        UP(.host = "", .origin = "https://"),
        UP(.host = "", .origin = "file://"),
        UP(.host = "", .origin = "https://a.example"),
        UP(.host = "a b", .origin = "https://a b"),
        UP(.host = "[::1]", .origin = "http://[::2]"),
        UP(.host = "a.example", .origin = "http://[::]"),
        UP(.host = "[::]", .origin = "http://a.example"),
        UP(.host = "[::1", .origin = "http://[::1"),
        UP(.host = "[::1]", .origin = "http://[::1]x"),
        UP(.host = "[]", .origin = "http://[]"),
        UP(.host = "[", .origin = "http://["),
        UP(.host = "[a.example]", .origin = "http://[a.example]"),
    };
    EXPECT(rows, false);
}

Test(origin, a_listed_one_is_compared_by_scheme_host_and_port) {
    static const upgrade good[] = {
        UP(.host = "h", .origin = "https://a.example", .listed = "https://a.example"),
        UP(.host = "h", .origin = "https://a.example:443", .listed = "https://a.example"),
        UP(.host = "h", .origin = "https://a.example", .listed = "https://a.example:443"),
        UP(.host = "h", .origin = "http://a.example", .listed = "HTTP://A.EXAMPLE:80"),
        UP(.host = "h", .origin = "http://[::1]:3000", .listed = "http://[0::1]:3000"),
        UP(.host = "h", .origin = "app://main", .listed = "app://main"),
        UP(.host = "h", .origin = "https://b.example", .listed = "*"),
        UP(.host = "h", .origin = "file://", .listed = "*"),
        UP(.host = "h", .origin = "null", .listed = "*"),
        UP(.host = "h", .origin = "null", .listed = "null"),
        UP(.host = "h", .origin = "https://h", .listed = "https://a.example"),
    };
    static const upgrade bad[] = {
        UP(.host = "h", .origin = "http://a.example", .listed = "https://a.example"),
        UP(.host = "h", .origin = "https://a.example:8443", .listed = "https://a.example"),
        UP(.host = "h", .origin = "https://b.a.example", .listed = "https://a.example"),
        UP(.host = "h", .origin = "app://main:80", .listed = "app://main"),
        UP(.host = "h", .origin = "null", .listed = "https://a.example"),
        UP(.host = "h", .origin = "NULL", .listed = "null"),
        UP(.host = "h", .origin = "https://null", .listed = "null"),
    };
    EXPECT(good, true);
    EXPECT(bad, false);
}

/* As nginx is often configured: Host is the upstream's name, X-Forwarded-Host the public one. */
Test(origin, behind_a_trusted_proxy_the_forwarded_host_counts) {
    static const upgrade good[] = {
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example"},
           .peer = "10.0.0.1"),
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example:443"},
           .peer = "unix"),
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"evil, a.example"},
           .peer = "10.0.0.1"),
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"evil", "a.example"},
           .peer = "10.0.0.1"),
        UP(.host = "a.example", .origin = "https://a.example", .forwarded = {""},
           .peer = "10.0.0.1"),
        UP(.host = "a.example", .origin = "https://a.example", .peer = "10.0.0.1"),
        /* of a stranger it is not even looked at */
        UP(.host = "a.example", .origin = "https://a.example", .forwarded = {"evil"},
           .peer = "192.0.2.1"),
    };
    static const upgrade bad[] = {
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example"},
           .peer = "192.0.2.1"),
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example"}),
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example, other"},
           .peer = "10.0.0.1"),
        UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example", "other"},
           .peer = "10.0.0.1"),
        UP(.host = "a.example", .origin = "https://a.example", .forwarded = {"other"},
           .peer = "10.0.0.1"),
        UP(.host = "a.example", .origin = "https://a.example", .forwarded = {"a b"},
           .peer = "10.0.0.1"),
        UP(.host = "backend", .origin = "https://backend", .forwarded = {"a.example"},
           .peer = "10.0.0.1"),
    };
    EXPECT(good, true);
    EXPECT(bad, false);
}

Test(origin, two_are_refused_whatever_they_say) {
    const upgrade u = {.host = "h", .origin = "https://h", .listed = "*"};
    fixture f;
    made(&f, &u);
    add(&f, "origin", "https://h");
    cr_expect_not(wring__origin_is_allowed(&f.request, &f.route, NULL, NULL));
    char text[512];
    (void)wring__origin_refusal(&f.request, NULL, NULL, text, sizeof text);
    cr_expect_not_null(strstr(text, "2 Origin headers"), "%s", text);
    wring__proxies_free(f.proxies);
}

Test(origin, what_a_route_may_list) {
    static const char *const good[] = {"*",
                                       "null",
                                       "https://example.com",
                                       "http://localhost:3000",
                                       "http://[::1]:80",
                                       "chrome-extension://abcdefgh"};
    static const char *const bad[] = {"",
                                      "example.com",
                                      "https://example.com/",
                                      "https://*.example.com",
                                      "https://",
                                      "https://a:0",
                                      "https://a:99999",
                                      "https://user@a",
                                      "https://a b",
                                      "https://a.b:",
                                      "https://[::1]:"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_expect(wring__origin_is_legal(wring_str(good[i])), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_not(wring__origin_is_legal(wring_str(bad[i])), "%s", bad[i]);
    }
}

/* ---- the sentence ---------------------------------------------------------------------------- */

static size_t refusal(const upgrade *u, char *text, size_t cap) {
    fixture f;
    made(&f, u);
    const size_t len =
        wring__origin_refusal(&f.request, f.proxies, u->peer == NULL ? NULL : &f.peer, text, cap);
    wring__proxies_free(f.proxies);
    return len;
}

Test(origin, a_refusal_names_what_was_compared_and_what_to_do) {
    static const struct {
        upgrade u;
        const char *has[4];
    } rows[] = {
        {UP(.host = "backend:81", .origin = "https://a.example", .peer = "192.0.2.7"),
         {"\"https://a.example\"", "\"backend:81\"", "origins", "192.0.2.7 in trusted_proxies"}},
        {UP(.host = "backend", .origin = "https://a.example"),
         {"\"backend\"", "origins", "its address in trusted_proxies", "X-Forwarded-Host"}},
        {UP(.host = "backend", .origin = "https://a.example", .forwarded = {"a.example"},
            .peer = "192.0.2.7"),
         {"\"backend\"", "X-Forwarded-Host was not used", "192.0.2.7 in trusted_proxies",
          "origins"}},
        {UP(.host = "backend", .origin = "https://a.example", .forwarded = {"b.example"},
            .peer = "10.0.0.1"),
         {"X-Forwarded-Host \"b.example\"", "origins", "", ""}},
        {UP(.host = "h", .origin = "null"), {"\"null\"", "origins", "", ""}},
        {UP(.host = "h", .origin = "\x1b[2J"), {"\\x1b[2J", "scheme://", "", ""}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        const size_t len = refusal(&rows[i].u, text, sizeof text);
        cr_expect_eq(len, strlen(text));
        for (size_t j = 0; j < 4; j++) {
            cr_expect_not_null(strstr(text, rows[i].has[j]), "'%s' is not in '%s'", rows[i].has[j],
                               text);
        }
    }
}

/* The log has room for 511 bytes, whatever the peer sends. */
Test(origin, a_refusal_is_printable_and_bounded) {
    char host[600];
    char origin[620] = "https://";
    memset(host, '\xFF', sizeof host - 1);
    host[sizeof host - 1] = 0;
    memset(origin + 8, 'a', 250);
    const upgrade rows[] = {
        UP(.host = host, .origin = origin, .peer = "192.0.2.7"),
        UP(.host = host, .origin = origin, .forwarded = {host}, .peer = "255.255.255.255"),
        UP(.host = host, .origin = origin, .forwarded = {host}, .peer = "10.0.0.1"),
        UP(.host = host, .origin = host),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        cr_expect_lt(refusal(&rows[i], text, sizeof text), sizeof text);
        for (const char *c = text; *c != 0; c++) {
            cr_assert(*c >= ' ' && *c <= '~');
        }
        char small[8];
        cr_expect_gt(refusal(&rows[i], small, sizeof small), sizeof small);
        cr_expect_eq(strlen(small), 7u);
    }
}
