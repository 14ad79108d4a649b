/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "wring/url.h"

static const struct {
    const char *url;
    const char *want; /* secure userinfo|host|ipv6|port|given|target, or NULL: invalid */
} rows[] = {
    {"ws://h", "0 |h|0|80|0|"},
    {"WSS://Host.Example/p?q=1", "1 |Host.Example|0|443|0|/p?q=1"},
    {"ws://h:8080/", "0 |h|0|8080|1|/"},
    {"ws://h:80/", "0 |h|0|80|0|/"},
    {"wss://h:80", "1 |h|0|80|1|"},
    {"ws://h:/x", "0 |h|0|80|0|/x"},
    {"ws://[::1]:9/x", "0 |::1|1|9|1|/x"},
    {"ws://[fe80::1.2.3.4]", "0 |fe80::1.2.3.4|1|80|0|"},
    {"ws://[::]", "0 |::|1|80|0|"},
    {"ws://[1:2:3:4:5:6:7:8]", "0 |1:2:3:4:5:6:7:8|1|80|0|"},
    {"ws://[1:2:3:4:5:6:7::]", "0 |1:2:3:4:5:6:7::|1|80|0|"},
    {"ws://[1:2:3:4:5:6:1.2.3.255]", "0 |1:2:3:4:5:6:1.2.3.255|1|80|0|"},
    {"ws://u:p%40@h/", "0 u:p%40|h|0|80|0|/"},
    {"ws://h?q", "0 |h|0|80|0|?q"},
    {"ws://h/%7Ea", "0 |h|0|80|0|/%7Ea"},
    {"http://h", NULL},
    {"ws:/h", NULL},
    {"ws://", NULL},
    {"ws:///p", NULL},
    {"ws://h:0", NULL},
    {"ws://h:65536", NULL},
    {"ws://h:12345678901", NULL},
    {"ws://h:8a", NULL},
    {"ws://[::1", NULL},
    {"ws://[::1]x", NULL},
    {"ws://[abcd]", NULL},
    {"ws://[::g]", NULL},
    {"ws://[:]", NULL},
    {"ws://[:::]", NULL},
    {"ws://[1:2]", NULL},
    {"ws://[1::2::3]", NULL},
    {"ws://[1:2:3:4:5:6:7:8::]", NULL},
    {"ws://[1:2:3:4:5:6:7:8:9]", NULL},
    {"ws://[::12345]", NULL},
    {"ws://[::1:]", NULL},
    {"ws://[::1.2.3]", NULL},
    {"ws://[::1.2.3.256]", NULL},
    {"ws://[::1.2.3.04]", NULL},
    {"ws://[::1.2.3.4:5]", NULL},
    {"ws://h/#f", NULL},
    {"ws://h#f", NULL},
    {"ws://h/ x", NULL},
    {"ws://h/%4", NULL},
    {"ws://h/%zz", NULL},
    {"ws://h\r\n/", NULL},
    {"ws://h/\xc3\xa9", NULL},
    {"ws://a b/", NULL},
    {"", NULL},
};

Test(url, table) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wring_url url;
        wring_result result = wring_url_parse(wring_str(rows[i].url), &url);
        if (rows[i].want == NULL) {
            cr_assert_eq(result, WRING_ERR_INVALID_URL, "%s", rows[i].url);
            continue;
        }
        char got[256];
        cr_assert_eq(result, WRING_OK, "%s", rows[i].url);
        snprintf(got, sizeof got, "%d %.*s|%.*s|%d|%u|%d|%.*s", url.secure, (int)url.userinfo.len,
                 (const char *)url.userinfo.data, (int)url.host.len, (const char *)url.host.data,
                 url.host_is_ipv6, url.port, url.port_is_given, (int)url.target.len,
                 (const char *)url.target.data);
        cr_assert_str_eq(got, rows[i].want, "%s: %s", rows[i].url, got);
    }
}
