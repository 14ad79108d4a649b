/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "client/proxy.h"

Test(proxy_url, parts_and_defaults) {
    static const struct {
        const char *text;
        enum wring__proxy_kind kind;
        const char *host;
        uint16_t port;
        const char *user, *password;
    } rows[] = {
        {"http://p", WRING__PROXY_HTTP, "p", 8080, NULL, NULL},
        {"p:3128", WRING__PROXY_HTTP, "p", 3128, NULL, NULL},
        {"HTTP://p/", WRING__PROXY_HTTP, "p", 8080, NULL, NULL},
        {"socks5://p", WRING__PROXY_SOCKS5, "p", 1080, NULL, NULL},
        {"socks5h://p:9", WRING__PROXY_SOCKS5, "p", 9, NULL, NULL},
        {"http://[::1]:81/x", WRING__PROXY_HTTP, "::1", 81, NULL, NULL},
        {"http://[::1]", WRING__PROXY_HTTP, "::1", 8080, NULL, NULL},
        {"http://u:w@p", WRING__PROXY_HTTP, "p", 8080, "u", "w"},
        {"http://u@p", WRING__PROXY_HTTP, "p", 8080, "u", ""},
        {"http://:w@p", WRING__PROXY_HTTP, "p", 8080, "", "w"},
        {"socks5://a%20b:c%3a%40@p", WRING__PROXY_SOCKS5, "p", 1080, "a b", "c:@"},
        {"http://u:a@b@p:1", WRING__PROXY_HTTP, "p", 1, "u", "a@b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__proxy_config config;
        cr_assert_eq(wring__proxy_parse(rows[i].text, &config), WRING_OK, "%s", rows[i].text);
        cr_assert_eq(config.kind, rows[i].kind, "%s", rows[i].text);
        cr_assert_str_eq(config.host, rows[i].host, "%s", rows[i].text);
        cr_assert_eq(config.port, rows[i].port, "%s", rows[i].text);
        cr_assert_eq(config.user == NULL, rows[i].user == NULL, "%s", rows[i].text);
        if (config.user != NULL) {
            cr_assert_str_eq(config.user, rows[i].user, "%s", rows[i].text);
            cr_assert_str_eq(config.password, rows[i].password, "%s", rows[i].text);
        }
        wring__proxy_config_deinit(&config);
    }
}

Test(proxy_url, malformed_ones) {
    static const char *const rows[] = {"",
                                       "http://",
                                       "ftp://p",
                                       "https://p",
                                       "http://p:0",
                                       "http://p:65536",
                                       "http://p:1x",
                                       "http://p:",
                                       "http://[::1",
                                       "http://u%00@p",
                                       "socks4://p",
                                       "http://@"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__proxy_config config;
        cr_assert_eq(wring__proxy_parse(rows[i], &config), WRING_ERR_INVALID_CONFIG, "%s", rows[i]);
    }
    char name[300];
    memset(name, 'u', sizeof name - 4);
    memcpy(name + 256, "@p", 3); /* RFC 1929 2: a length of one byte */
    wring__proxy_config config;
    cr_assert_eq(wring__proxy_parse(name, &config), WRING_ERR_INVALID_CONFIG);
}

static bool env_gives(const char *url_text) {
    wring_url url;
    wring__proxy_config config;
    cr_assert_eq(wring_url_parse(wring_str(url_text), &url), WRING_OK);
    cr_assert_eq(wring__proxy_from_env(&url, &config), WRING_OK);
    const bool found = config.kind != WRING__PROXY_NONE;
    wring__proxy_config_deinit(&config);
    return found;
}

Test(proxy_env, exceptions_are_whole_domains) {
    clearenv();
    setenv("all_proxy", "p", 1);
    cr_assert(env_gives("ws://a.example/"));
    static const struct {
        const char *list, *url;
        bool proxied;
    } rows[] = {
        {"example", "ws://a.example/", false},
        {".example", "ws://a.example/", false},
        {"ample", "ws://a.example/", true},
        {"A.EXAMPLE", "ws://a.example/", false},
        {"b.example", "ws://a.example/", true},
        {"x, , a.example", "ws://a.example/", false},
        {"*", "ws://a.example/", false},
        {"a.example.com", "ws://a.example/", true},
        {"127.0.0.1", "ws://127.0.0.1:80/", false},
        {"", "ws://a.example/", true},
        {"*.example", "ws://a.example/", false},
        {"*.example", "ws://b.a.example/", false},
        {"*.localhost", "ws://localhost/", true},
        {"*.a.example.", "ws://a.example./", true},
        {".localhost", "ws://localhost/", false},
        {"..example", "ws://a.example/", true},
        {"a.example.", "ws://a.example/", false},
        {"a.example", "ws://a.example./", false},
        {"*,", "ws://[::1]/", false},
        {"a.example:80", "ws://a.example/", false},
        {"a.example:8080", "ws://a.example/", true},
        {"a.example:8080", "ws://b.a.example:8080/", false},
        {"a.example:x", "ws://a.example/", true},
        {"a.example:", "ws://a.example/", true},
        {"a.example:65616", "ws://a.example/", true},
        {"0.0.1", "ws://127.0.0.1/", true},
        {"127.0.0.1:81", "ws://127.0.0.1/", true},
        {"127.0.0.1:81", "ws://127.0.0.1:81/", false},
        {"10.0.0.0/8", "ws://10.255.1.2/", false},
        {"10.0.0.0/8", "ws://11.0.0.1/", true},
        {"10.1.2.3/8", "ws://10.9.9.9/", false},
        {"192.168.4.0/22", "ws://192.168.7.255/", false},
        {"192.168.4.0/22", "ws://192.168.8.0/", true},
        {"0.0.0.0/0", "ws://1.2.3.4/", false},
        {"0.0.0.0/0", "ws://[::1]/", true},
        {"0.0.0.0/0", "ws://a.example/", true},
        {"10.0.0.0/33", "ws://10.0.0.1/", true},
        {"10.0.0.0/", "ws://10.0.0.0/", true},
        {"10.0.0.1/32", "ws://10.0.0.1/", false},
        {"fd00::/8", "ws://[fdab::1]/", false},
        {"[fd00::]/8", "ws://[fdab::1]/", false},
        {"fd00::/8", "ws://[fe80::1]/", true},
        {"::/0", "ws://[fe80::1]/", false},
        {"::1", "ws://[::1]/", false},
        {"[::1]", "ws://[0:0::1]/", false},
        {"[::1]:80", "ws://[::1]/", false},
        {"[::1]:81", "ws://[::1]/", true},
        {"[::1", "ws://[::1]/", true},
        {"::2", "ws://[::1]/", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setenv("no_proxy", rows[i].list, 1);
        cr_assert_eq(env_gives(rows[i].url), rows[i].proxied, "%s %s", rows[i].list, rows[i].url);
    }
}

/* ---- conversations --------------------------------------------------------------------------- */

static wring__outq out;

static void expect_sent(const void *data, size_t len) {
    struct iovec iov;
    cr_assert_eq(out.bytes, len);
    cr_assert_eq(wring__outq_gather(&out, &iov, 1), 1);
    cr_assert_eq(iov.iov_len, len);
    cr_assert_eq(memcmp(iov.iov_base, data, len), 0);
    wring__outq_consume(&out, NULL, len);
}

/* Feeds it cut into pieces of `step` bytes. Gives the result and how many bytes were used. */
static wring_result feed(wring__proxy *proxy, const char *data, size_t len, size_t step,
                         size_t *total) {
    wring_error error;
    wring_result result = WRING_MORE;
    size_t at = 0;
    while (at < len && result == WRING_MORE) {
        const size_t part = len - at < step ? len - at : step;
        size_t used = 0;
        result = wring__proxy_rx(proxy, wring_bytes_of(data + at, part), &used, &error);
        at += result == WRING_OK ? used : part;
    }
    *total = at;
    return result;
}

Test(proxy_http, answer_at_each_split) {
    static const char answer[] = "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\nSERVER";
    const size_t head = sizeof answer - 1 - strlen("SERVER");
    for (size_t step = 1; step < sizeof answer; step++) {
        wring__proxy_config config;
        wring__proxy proxy;
        cr_assert_eq(wring__proxy_parse("http://us er:pw@p", &config), WRING_OK);
        cr_assert_eq(wring__proxy_start(&proxy, &config, "::1", 443, &out, NULL), WRING_OK);
        static const char want[] = "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"
                                   "Proxy-Authorization: Basic dXMgZXI6cHc=\r\n\r\n";
        expect_sent(want, sizeof want - 1);
        size_t used;
        cr_assert_eq(feed(&proxy, answer, sizeof answer - 1, step, &used), WRING_OK);
        cr_assert_eq(used, head, "%zu: %zu", step, used);
        wring__proxy_deinit(&proxy);
        wring__proxy_config_deinit(&config);
    }
    wring__outq_deinit(&out, NULL);
}

Test(proxy_http, what_is_no_http_is_known_at_its_first_bytes) {
    static const struct {
        const char *answer;
        wring_result result;
    } rows[] = {
        {"HTTP/1", WRING_MORE},
        {"SSH", WRING_ERR_PROXY},
        {"HTTP/2 200", WRING_ERR_PROXY},
        {"HTTP/1.1 20 OK\r\n\r\n", WRING_ERR_PROXY},
        {"\x15\x03\x01", WRING_ERR_PROXY},
        {"HTTP/1.1 407 No\r\n\r\n", WRING_ERR_PROXY},
        {"HTTP/1.1\r\n\r\n", WRING_ERR_PROXY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__proxy_config config;
        wring__proxy proxy;
        cr_assert_eq(wring__proxy_parse("p", &config), WRING_OK);
        cr_assert_eq(wring__proxy_start(&proxy, &config, "h", 1, &out, NULL), WRING_OK);
        size_t used;
        cr_assert_eq(feed(&proxy, rows[i].answer, strlen(rows[i].answer), 99, &used),
                     rows[i].result, "%s", rows[i].answer);
        wring__proxy_deinit(&proxy);
        wring__proxy_config_deinit(&config);
    }
    wring__outq_deinit(&out, NULL);
}

Test(proxy_socks, conversation_at_each_split) {
    /* method, authentication and request answered at once: nothing forbids a proxy to be ahead */
    static const char answer[] = "\x05\x02"
                                 "\x01\x00"
                                 "\x05\x00\x00\x03\x03"
                                 "abc\x00\x01"
                                 "SERVER";
    const size_t len = sizeof answer - 1;
    for (size_t step = 1; step <= len; step++) {
        wring__proxy_config config;
        wring__proxy proxy;
        cr_assert_eq(wring__proxy_parse("socks5://me:pw@p", &config), WRING_OK);
        cr_assert_eq(wring__proxy_start(&proxy, &config, "host", 258, &out, NULL), WRING_OK);
        size_t used;
        cr_assert_eq(feed(&proxy, answer, len, step, &used), WRING_OK, "%zu", step);
        cr_assert_eq(used, len - strlen("SERVER"), "%zu: %zu", step, used);
        static const char want[] = "\x05\x02\x00\x02"
                                   "\x01\x02me\x02pw"
                                   "\x05\x01\x00\x03\x04"
                                   "host\x01\x02";
        expect_sent(want, sizeof want - 1);
        wring__proxy_deinit(&proxy);
        wring__proxy_config_deinit(&config);
    }
    wring__outq_deinit(&out, NULL);
}

Test(proxy_socks, a_numeric_target_is_an_address) {
    static const struct {
        const char *host, *want;
        size_t len;
    } rows[] = {
        {"10.1.2.3", "\x05\x01\x00\x01\x0a\x01\x02\x03\x01\x02", 10},
        {"::2", "\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x01\x02", 22},
        {"10.1.2",
         "\x05\x01\x00\x03\x06"
         "10.1.2\x01\x02",
         13},
        {"10.1.2.3.",
         "\x05\x01\x00\x03\x09"
         "10.1.2.3.\x01\x02",
         16},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring__proxy_config config;
        wring__proxy proxy;
        size_t used;
        cr_assert_eq(wring__proxy_parse("socks5://p", &config), WRING_OK);
        cr_assert_eq(wring__proxy_start(&proxy, &config, rows[i].host, 258, &out, NULL), WRING_OK);
        expect_sent("\x05\x01\x00", 3);
        cr_assert_eq(feed(&proxy, "\x05\x00", 2, 2, &used), WRING_MORE);
        expect_sent(rows[i].want, rows[i].len);
        wring__proxy_deinit(&proxy);
        wring__proxy_config_deinit(&config);
    }
    wring__outq_deinit(&out, NULL);
}

Test(proxy_http, interim_answers_before_the_yes_at_each_split) {
    static const char answer[] = "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100\r\n\r\n"
                                 "HTTP/1.1 200 OK\r\n\r\nSERVER";
    for (size_t step = 1; step < sizeof answer; step++) {
        wring__proxy_config config;
        wring__proxy proxy;
        size_t used;
        cr_assert_eq(wring__proxy_parse("p", &config), WRING_OK);
        cr_assert_eq(wring__proxy_start(&proxy, &config, "h", 1, &out, NULL), WRING_OK);
        cr_assert_eq(feed(&proxy, answer, sizeof answer - 1, step, &used), WRING_OK);
        cr_assert_eq(used, sizeof answer - 1 - strlen("SERVER"), "%zu: %zu", step, used);
        wring__proxy_deinit(&proxy);
        wring__proxy_config_deinit(&config);
    }
    wring__outq_deinit(&out, NULL);
}

Test(proxy_http, a_refusal_is_kept_with_what_came_of_its_body) {
    static const char answer[] = "HTTP/1.0 403 \xc2\x9bNo\r\nContent-Length: 4\r\nX: y\r\n\r\nwh";
    for (size_t step = 1; step < sizeof answer; step++) {
        wring__proxy_config config;
        wring__proxy proxy;
        size_t used;
        cr_assert_eq(wring__proxy_parse("p", &config), WRING_OK);
        cr_assert_eq(wring__proxy_start(&proxy, &config, "h", 1, &out, NULL), WRING_OK);
        cr_assert_eq(feed(&proxy, answer, sizeof answer - 1, step, &used), WRING_ERR_PROXY);
        const wring__refusal *refusal = proxy.refusal;
        cr_assert_not_null(refusal);
        cr_assert_eq(refusal->answer.status, 403);
        cr_assert(refusal->answer.by_proxy && !refusal->answer.body_is_whole);
        cr_assert_eq(refusal->answer.headers.count, 2);
        cr_assert(wring_bytes_equal(refusal->answer.reason, wring_str("\xc2\x9bNo")));
        cr_assert_not_null(strstr(refusal->error.text, "403 \\u009bNo"), "%s", refusal->error.text);
        wring__proxy_deinit(&proxy);
        wring__proxy_config_deinit(&config);
    }
    wring__outq_deinit(&out, NULL);
}
