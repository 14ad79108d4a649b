/* SPDX-License-Identifier: Apache-2.0
 *
 * A proxy's answers, whole and in pieces: the same verdict, the same bytes used, the same bytes
 * said. The first part of the input is where the proxy is, as a user writes it.
 *
 *     length | url | cuts | answers
 */
#include <stdlib.h>

#include "client/proxy.h"
#include "tests/fuzz/fuzz.h"

typedef struct talk {
    wring_result result;
    size_t used; /* of all answers, when the tunnel stands */
    fuzz_log said;
} talk;

static void drain(wring__outq *out, fuzz_log *said) {
    struct iovec iov;
    while (wring__outq_gather(out, &iov, 1) == 1) {
        fuzz_log_bytes(said, wring_bytes_of(iov.iov_base, iov.iov_len));
        wring__outq_consume(out, NULL, iov.iov_len);
    }
}

/* `cuts` NULL: all answers at once. */
static talk talk_run(const wring__proxy_config *config, wring_bytes answers, fuzz_cuts *cuts) {
    talk heard = {.result = WRING_MORE};
    wring__outq out = {0};
    wring__proxy proxy;
    wring_error error = {0};
    size_t at = 0;
    FUZZ_CHECK(wring__proxy_start(&proxy, config, "target.example", 443, &out, NULL) == WRING_OK);
    drain(&out, &heard.said);
    FUZZ_CHECK(heard.said.len > 0); /* we speak first */
    while (heard.result == WRING_MORE && at < answers.len) {
        const size_t left = answers.len - at;
        const size_t len = cuts == NULL ? left : fuzz_cuts_next(cuts, left);
        uint8_t *piece = fuzz_copy(wring_bytes_of(answers.data + at, len));
        size_t used = 0;
        heard.result = wring__proxy_rx(&proxy, wring_bytes_of(piece, len), &used, &error);
        free(piece);
        FUZZ_CHECK(used <= len);
        at += heard.result == WRING_OK ? used : len;
        drain(&out, &heard.said);
    }
    heard.used = at;
    FUZZ_CHECK(heard.result == WRING_OK || heard.result == WRING_MORE ||
               (heard.result == WRING_ERR_PROXY && error.text[0] != 0));
    wring__proxy_deinit(&proxy);
    wring__outq_deinit(&out, NULL);
    return heard;
}

/* An HTTP proxy said yes: a status of 2xx behind interim ones, and the tunnel begins behind the
 * head. */
static void http_check(wring_bytes answers, size_t used) {
    while (used > 9 && answers.data[9] == '1') {
        const uint8_t *end = memmem(answers.data, used, "\r\n\r\n", 4);
        FUZZ_CHECK(end != NULL);
        const size_t len = (size_t)(end - answers.data) + 4;
        answers = wring_bytes_of(answers.data + len, answers.len - len);
        used -= len;
    }
    FUZZ_CHECK(used >= strlen("HTTP/1.1 200\r\n\r\n"));
    FUZZ_CHECK(memcmp(answers.data, "HTTP/1.", 7) == 0 && answers.data[9] == '2');
    FUZZ_CHECK(memcmp(answers.data + used - 4, "\r\n\r\n", 4) == 0);
}

static void socks_check(wring_bytes answers, size_t used) {
    FUZZ_CHECK(used >= 9 && answers.data[0] == 5);
    FUZZ_CHECK(answers.data[1] == 0 || answers.data[1] == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    wring_bytes in = {data, len};
    const wring_bytes text = fuzz_take(&in, fuzz_u8(&in));
    char url[256];
    wring__proxy_config config;
    memcpy(url, text.len == 0 ? (const uint8_t *)"" : text.data, text.len);
    url[text.len] = 0;
    if (wring__proxy_parse(url, &config) != WRING_OK) {
        FUZZ_CHECK(config.host == NULL && config.user == NULL && config.password == NULL);
        return 0;
    }
    FUZZ_CHECK(config.host[0] != 0 && config.port > 0);
    FUZZ_CHECK((config.user == NULL) == (config.password == NULL));
    fuzz_cuts cuts = fuzz_cuts_take(&in);
    talk whole = talk_run(&config, in, NULL);
    talk pieces = talk_run(&config, in, &cuts);
    FUZZ_CHECK(whole.result == pieces.result && fuzz_log_equal(&whole.said, &pieces.said));
    if (whole.result == WRING_OK) {
        FUZZ_CHECK(whole.used == pieces.used);
        (config.kind == WRING__PROXY_HTTP ? http_check : socks_check)(in, whole.used);
    }
    fuzz_log_free(&whole.said);
    fuzz_log_free(&pieces.said);
    wring__proxy_config_deinit(&config);
    return 0;
}
