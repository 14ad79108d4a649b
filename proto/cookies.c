/* SPDX-License-Identifier: Apache-2.0
 *
 * Cookies of a request (RFC 6265 4.2) and those set by an answer (RFC 6265 4.1, with SameSite and
 * the prefixes of names from RFC 6265bis).
 */
#include <stdio.h>

#include "core/base.h"
#include "core/sized.h"
#include "proto/http1.h"
#include "proto/ows.h"
#include "proto/upgrade.h"
#include "wring/http.h"

/* RFC 6265bis 5.6: browsers drop a cookie whose name and value are longer, and forget an attribute
 * that is longer. */
#define PAIR_BYTES_MAX      4096
#define ATTRIBUTE_BYTES_MAX 1024

/* ---- reading --------------------------------------------------------------------------------- */

/* The part that begins at `*at`, without the spaces around it; moves behind its ';'. Quotes do not
 * hide a ';': RFC 6265 4.1.1 has none within quotes. */
static wring_bytes part_take(wring_bytes text, size_t *at) {
    const size_t start = *at;
    const uint8_t *found = memchr(text.data + start, ';', text.len - start);
    const size_t end = found == NULL ? text.len : (size_t)(found - text.data);
    *at = found == NULL ? text.len : end + 1;
    return wring__ows_trim(text, start, end);
}

static wring_bytes unquoted(wring_bytes value) {
    const bool is_quoted =
        value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';
    return is_quoted ? wring_bytes_of(value.data + 1, value.len - 2) : value;
}

static bool cookie_find(wring_bytes text, wring_bytes name, wring_bytes *value) {
    size_t at = 0;
    while (at < text.len) {
        const wring_bytes part = part_take(text, &at);
        if (part.len > name.len && part.data[name.len] == '=' &&
            wring_bytes_equal(wring_bytes_of(part.data, name.len), name)) {
            const size_t from = name.len + 1;
            *value = unquoted(wring_bytes_of(part.data + from, part.len - from));
            return true;
        }
    }
    return false;
}

bool wring_cookie_get(wring_headers headers, const char *name, wring_bytes *value) {
    const wring_bytes want = wring_str(name);
    if (!wring__http1_is_token(want)) { /* a '=' in it would match a part of a value */
        return false;
    }
    /* HTTP/2 may send each cookie as a header of its own: RFC 9113 8.2.3. */
    for (size_t i = 0; i < headers.count; i++) {
        if (wring__text_is(headers.list[i].name, "cookie") &&
            cookie_find(headers.list[i].value, want, value)) {
            return true;
        }
    }
    return false;
}

/* ---- checking -------------------------------------------------------------------------------- */

/* Visible ASCII, and none of `except`. */
static bool is_visible(wring_bytes text, const char *except) {
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (c <= ' ' || c >= 0x7F || strchr(except, c) != NULL) {
            return false;
        }
    }
    return true;
}

/* Names joined by single dots. RFC 6265 4.1.1 */
static bool domain_is_legal(wring_bytes text) {
    bool is_open = false; /* a name has begun */
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        const uint8_t low = c | 0x20;
        const bool is_of_name =
            (c >= '0' && c <= '9') || (low >= 'a' && low <= 'z') || c == '-' || c == '_';
        if (!is_of_name && !(c == '.' && is_open)) {
            return false;
        }
        is_open = is_of_name;
    }
    return is_open && text.len <= 253;
}

/* Browsers compare the prefixes whatever their case. RFC 6265bis 5.6 */
static bool has_prefix(wring_bytes name, const char *prefix) {
    const size_t len = strlen(prefix);
    return name.len >= len && wring__text_is(wring_bytes_of(name.data, len), prefix);
}

/* What a name promises has to be so, else browsers drop the cookie. RFC 6265bis 4.1.3 */
static bool prefix_is_kept(const wring_cookie *cookie, wring_bytes name) {
    const bool is_host = has_prefix(name, "__Host-");
    if (is_host && (cookie->domain != NULL || strcmp(cookie->path, "/") != 0)) {
        return false;
    }
    return !cookie->is_insecure || !(is_host || has_prefix(name, "__Secure-"));
}

static const char *same_site_of(const char *given) {
    static const char *const known[] = {"Lax", "Strict", "None"};
    for (size_t i = 0; i < WRING_ARRAY_LEN(known); i++) {
        if (wring__text_is(wring_str(given), known[i])) {
            return known[i];
        }
    }
    return NULL;
}

/* `cookie` has its defaults. */
static bool cookie_is_legal(const wring_cookie *cookie) {
    const wring_bytes name = wring_str(cookie->name);
    const wring_bytes path = wring_str(cookie->path);
    if (cookie->value.len > PAIR_BYTES_MAX || name.len > PAIR_BYTES_MAX - cookie->value.len ||
        !wring__http1_is_token(name) || !is_visible(cookie->value, "\",;\\")) {
        return false;
    }
    if (cookie->path[0] != '/' || !is_visible(path, ";") || path.len > ATTRIBUTE_BYTES_MAX) {
        return false; /* RFC 6265 5.2.4: browsers replace a path that does not begin with '/' */
    }
    if (cookie->domain != NULL && !domain_is_legal(wring_str(cookie->domain))) {
        return false;
    }
    if (cookie->same_site == NULL ||
        (cookie->is_insecure && strcmp(cookie->same_site, "None") == 0)) {
        return false; /* RFC 6265bis 5.6: None needs Secure */
    }
    return prefix_is_kept(cookie, name);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The caller's memory. What does not fit is counted, not written. */
struct writer {
    char *out;
    size_t cap;
    size_t len;
};

static void put(struct writer *w, wring_bytes text) {
    if (text.len > 0 && w->len <= w->cap && text.len <= w->cap - w->len) {
        memcpy(w->out + w->len, text.data, text.len);
    }
    w->len += text.len;
}

static void put_str(struct writer *w, const char *text) {
    put(w, wring_str(text));
}

static void put_age(struct writer *w, int64_t seconds) {
    char text[40];
    if (seconds != 0) { /* RFC 6265 5.2.2: 0 and less remove a cookie */
        const long long age = seconds < 0 ? 0 : (long long)seconds;
        (void)snprintf(text, sizeof text, "; Max-Age=%lld", age);
        put_str(w, text);
    }
}

static void put_cookie(struct writer *w, const wring_cookie *cookie) {
    put_str(w, cookie->name);
    put_str(w, "=");
    put(w, cookie->value);
    put_str(w, "; Path=");
    put_str(w, cookie->path);
    if (cookie->domain != NULL) {
        put_str(w, "; Domain=");
        put_str(w, cookie->domain);
    }
    put_age(w, cookie->age_max_seconds);
    put_str(w, "; SameSite=");
    put_str(w, cookie->same_site);
    put_str(w, cookie->is_insecure ? "" : "; Secure");
    put_str(w, cookie->is_for_scripts ? "" : "; HttpOnly");
    put(w, wring_bytes_of("", 1)); /* the NUL */
}

wring_result wring_cookie_write(const wring_cookie *cookie, char *out, size_t cap, size_t *len) {
    wring_cookie own;
    *len = 0;
    if (cap > 0) {
        out[0] = 0;
    }
    if (cookie == NULL || wring__sized_adopt(&own, sizeof own, cookie, offsetof(wring_cookie, path),
                                             "wring_cookie", NULL) != WRING_OK) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    own.path = own.path == NULL ? "/" : own.path;
    own.same_site = same_site_of(own.same_site == NULL ? "Lax" : own.same_site);
    if (!cookie_is_legal(&own)) {
        return WRING_ERR_INVALID_ARGUMENT;
    }
    struct writer w = {out, cap, 0};
    put_cookie(&w, &own);
    if (w.len > cap) {
        if (cap > 0) {
            out[0] = 0;
        }
        return WRING_ERR_INVALID_ARGUMENT;
    }
    *len = w.len - 1;
    return WRING_OK;
}
