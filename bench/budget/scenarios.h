/* SPDX-License-Identifier: Apache-2.0
 *
 * What bench-budget counts, and what the clients of its scenarios ask of a server of HTTP/1.1.
 */
#ifndef WRING_BENCH_SCENARIOS_H
#define WRING_BENCH_SCENARIOS_H

struct scenario {
    const char *name;
    unsigned connections;
    unsigned messages; /* of each connection a round; published or sent by ref: of the round */
    unsigned payload;
    unsigned workers;
    enum { ECHO, PUBLISH, SEND, GET, BROWSER_GET, POST, UPGRADE } kind;
    unsigned streams; /* HTTP/2: so many of `connections` share one; 0: HTTP/1.1 */
};

static const struct scenario scenarios[] = {
    {"echo_20", 64, 1, 20, 1, ECHO, 0},
    {"echo_20_pipeline_32", 64, 32, 20, 1, ECHO, 0},
    {"echo_1024", 64, 1, 1024, 1, ECHO, 0},
    {"fanout_64", 1000, 1, 64, 1, PUBLISH, 0},
    {"fanout_64_outstanding_8", 1000, 8, 64, 1, PUBLISH, 0},
    {"fanout_1024", 1000, 1, 1024, 1, PUBLISH, 0},
    {"fanout_64_two_workers", 1000, 1, 64, 2, PUBLISH, 0},
    {"send_by_ref_20", 64, 1, 20, 1, SEND, 0},
    {"http_get_1024", 64, 1, 1024, 1, GET, 0},
    {"http_get_1024_browser", 64, 1, 1024, 1, BROWSER_GET, 0},
    {"http_get_1024_pipeline_8", 64, 8, 1024, 1, GET, 0},
    {"http_post_1024", 64, 1, 1024, 1, POST, 0},
    {"upgrade", 64, 1, 0, 1, UPGRADE, 0}, /* of a new connection each */
    {"h2_echo_20", 64, 1, 20, 1, ECHO, 1},
    {"h2_echo_20_streams_10", 640, 1, 20, 1, ECHO, 10},
    {"h2_echo_20_streams_100", 1000, 1, 20, 1, ECHO, 100},
    {"h2_echo_20_pipeline_32", 64, 32, 20, 1, ECHO, 1},
    {"h2_echo_1024", 64, 1, 1024, 1, ECHO, 1},
    {"h2_fanout_64", 1000, 1, 64, 1, PUBLISH, 1},
    {"h2_fanout_64_streams_100", 1000, 1, 64, 1, PUBLISH, 100},
};

static const char upgrade_request[] =
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/* As curl, a browser, and curl send them. */
static const char get[] =
    "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
static const char browser_get[] =
    "GET /1k?page=2&sort=name HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"120\", \"Not?A_Brand\";v=\"8\"\r\nsec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) "
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\nAccept: */*\r\n"
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
    "Referer: http://www.example.com/list\r\nAccept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\nCookie: sid=0123456789abcdef; theme=dark\r\n\r\n";
static const char post[] =
    "POST /post HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    "Content-Type: application/octet-stream\r\nContent-Length: 1024\r\n\r\n";

#endif
