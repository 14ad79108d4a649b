/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding paths, and comparing them with the patterns of routes. See path.h.
 */
#include "server/path.h"

#include "proto/hex.h"

/* ---- paths ----------------------------------------------------------------------------------- */

enum { HAS_ESCAPE = 1, HAS_DOT = 2, HAS_CONTROL = 4 };

/* What a text has. No branches, so that the compiler can look at many bytes at once. */
static unsigned text_scan(wring_bytes text) {
    unsigned seen = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        seen |= (c == '%' ? HAS_ESCAPE : 0u) | (c == '.' ? HAS_DOT : 0u) |
                (c < 0x20 || c == 0x7F ? HAS_CONTROL : 0u);
    }
    return seen;
}

/* Segments end at each '/' of the decoded text. An encoded slash ends them too: "..%2F" would
 * otherwise bring a dot segment to applications that use the path as the name of a file. */
static bool has_dot_segment(wring_bytes text) {
    size_t begin = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != '/') {
            continue;
        }
        const size_t len = i - begin;
        if ((len == 1 || len == 2) && text.data[begin] == '.' && text.data[i - 1] == '.') {
            return true;
        }
        begin = i + 1;
    }
    return false;
}

/* Writes both forms of a path that has escapes. */
static wring_result escapes_decode(wring_bytes raw, uint8_t *storage, wring__path *out) {
    uint8_t *key = storage + raw.len;
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        int c = raw.data[i];
        key[len] = (uint8_t)c;
        if (c == '%') {
            c = wring__escape_of(raw, i);
            if (c < 0) {
                return WRING_ERR_BAD_HTTP;
            }
            key[len] = c == '/' ? WRING__PATH_SLASH : (uint8_t)c;
            i += 2;
        }
        storage[len++] = (uint8_t)c;
    }
    out->text = wring_bytes_of(storage, len);
    out->key = wring_bytes_of(key, len);
    return WRING_OK;
}

wring_result wring__path_decode(wring_bytes raw, uint8_t *storage, wring__path *out) {
    unsigned seen = text_scan(raw);
    *out = (wring__path){raw, raw};
    if (WRING_UNLIKELY((seen & HAS_ESCAPE) != 0)) {
        const wring_result result = escapes_decode(raw, storage, out);
        if (result != WRING_OK) {
            return result;
        }
        seen |= text_scan(out->text);
    }
    if (WRING_UNLIKELY((seen & HAS_CONTROL) != 0)) {
        return WRING_ERR_BAD_HTTP;
    }
    return (seen & HAS_DOT) != 0 && has_dot_segment(out->text) ? WRING_ERR_BAD_HTTP : WRING_OK;
}

/* ---- patterns -------------------------------------------------------------------------------- */

/* The name of a segment that is a parameter, "{name}"; empty: it is none. */
static wring_bytes segment_name(wring_bytes segment) {
    const bool braced =
        segment.len > 2 && segment.data[0] == '{' && segment.data[segment.len - 1] == '}';
    return braced ? wring_bytes_of(segment.data + 1, segment.len - 2) : wring_bytes_of(NULL, 0);
}

/* Takes the segment at `*at`, and moves behind it and its '/'. False: there is none. */
static bool segment_take(wring_bytes text, size_t *at, wring_bytes *segment) {
    if (*at > text.len) {
        return false;
    }
    const uint8_t *begin = text.data + *at;
    const uint8_t *slash = memchr(begin, '/', text.len - *at);
    *segment = wring_bytes_of(begin, slash == NULL ? text.len - *at : (size_t)(slash - begin));
    *at += segment->len + 1;
    return true;
}

static bool has_byte(wring_bytes text, uint8_t byte) {
    return text.len > 0 && memchr(text.data, byte, text.len) != NULL;
}

static const char *segment_check(wring_bytes segment) {
    const size_t len = segment.len;
    if (len == 2 && memcmp(segment.data, "{}", 2) == 0) {
        return "path has a parameter without a name: write {name}";
    }
    const wring_bytes name = segment_name(segment);
    const wring_bytes plain = name.len > 0 ? name : segment;
    const bool opens = has_byte(plain, '{');
    const bool closes = has_byte(plain, '}');
    if (opens && !closes && name.len == 0) {
        return "path has a '{' without a '}'";
    }
    if (closes && !opens && name.len == 0) {
        return "path has a '}' without a '{'";
    }
    if (opens || closes) {
        return "path has a segment that is not only a parameter: write /{name}/";
    }
    if (len > 0 && segment.data[0] == ':') {
        return "path has a segment that begins with ':': write {name} for a parameter";
    }
    if ((len == 1 || len == 2) && segment.data[0] == '.' && segment.data[len - 1] == '.') {
        return "path has a segment \".\" or \"..\", and requests with such a path are refused";
    }
    return NULL;
}

/* The name has been used by one of the segments before `end`. */
static bool name_is_taken(wring_bytes text, size_t end, wring_bytes name) {
    wring_bytes segment;
    for (size_t at = 0; at < end && segment_take(text, &at, &segment);) {
        if (wring_bytes_equal(segment_name(segment), name)) {
            return true;
        }
    }
    return false;
}

/* Of each segment, and of the parameters together. */
static const char *segments_check(wring_bytes text, size_t *params) {
    wring_bytes segment;
    for (size_t at = 0, begin = 0; segment_take(text, &at, &segment); begin = at) {
        const char *why = segment_check(segment);
        const wring_bytes name = segment_name(segment);
        if (why != NULL || name.len == 0) {
            if (why != NULL) {
                return why;
            }
            continue;
        }
        if (name_is_taken(text, begin, name)) {
            return "path has two parameters of the same name";
        }
        if (++*params > WRING__PARAMS_MAX) {
            return "path has more than 16 parameters";
        }
    }
    return NULL;
}

static bool has_escape(wring_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' && wring__escape_of(text, i) >= 0) {
            return true;
        }
    }
    return false;
}

const char *wring__path_pattern_init(wring__path_pattern *pattern, const char *text) {
    size_t params = 0;
    if (text == NULL || text[0] != '/') {
        return "path does not begin with '/'";
    }
    wring_bytes all = wring_str(text);
    const bool is_open = all.data[all.len - 1] == '*';
    all.len -= is_open ? 1 : 0;
    if (has_byte(all, '*')) {
        return "path has a '*' that is not at its end";
    }
    if ((text_scan(all) & HAS_CONTROL) != 0) {
        return "path has a control byte";
    }
    if (has_byte(all, '?')) {
        return "path has a '?': routes are found without the query, so leave it out";
    }
    if (has_byte(all, '#')) {
        return "path has a '#': clients never send a fragment, so leave it out";
    }
    if (has_escape(all)) {
        return "path has a percent-encoding: write it decoded, as it is compared";
    }
    if (is_open && all.data[all.len - 1] == '}') {
        return "path has a segment that is not only a parameter: write /{name}/*";
    }
    const char *why = segments_check(all, &params);
    *pattern = (wring__path_pattern){.text = text,
                                     .len = all.len,
                                     .kind = params > 0 ? WRING__PATTERN_PARAMS
                                             : is_open  ? WRING__PATTERN_PREFIX
                                                        : WRING__PATTERN_EXACT,
                                     .is_open = is_open};
    return why;
}

/* ---- matching -------------------------------------------------------------------------------- */

/* Where the parameter of the pattern at `*p` and its value at `*k` end; both move there. */
static void param_take(const wring__path_pattern *pattern, wring_bytes key, size_t *p, size_t *k) {
    while (pattern->text[*p] != '}') {
        ++*p;
    }
    ++*p;
    while (*k < key.len && key.data[*k] != '/') {
        ++*k;
    }
}

bool wring__path_pattern_walk(const wring__path_pattern *pattern, wring_bytes key) {
    size_t k = 0;
    for (size_t p = 0; p < pattern->len;) {
        if (pattern->text[p] == '{') {
            const size_t begin = k;
            param_take(pattern, key, &p, &k);
            if (k == begin) {
                return false; /* a parameter is never empty */
            }
        } else if (k == key.len || key.data[k++] != (uint8_t)pattern->text[p++]) {
            return false;
        }
    }
    return pattern->is_open || k == key.len;
}

/* The text of a pattern is looked at like a path. A '{' of it equals no byte of another pattern
 * outside of parameters, and a parameter takes it like any segment. */
bool wring__path_pattern_covers(const wring__path_pattern *earlier,
                                const wring__path_pattern *later) {
    const wring_bytes text = wring_bytes_of((const uint8_t *)later->text, later->len);
    return (earlier->is_open || !later->is_open) && wring__path_pattern_matches(earlier, text);
}

size_t wring__path_pattern_params(const wring__path_pattern *pattern, const wring__path *path,
                                  wring_header params[WRING__PARAMS_MAX]) {
    size_t count = 0;
    size_t k = 0;
    if (pattern->kind != WRING__PATTERN_PARAMS) {
        return 0;
    }
    for (size_t p = 0; p < pattern->len;) {
        if (pattern->text[p] != '{') {
            p++;
            k++;
            continue;
        }
        const size_t name = p + 1;
        const size_t value = k;
        param_take(pattern, path->key, &p, &k);
        params[count++] = (wring_header){wring_bytes_of(pattern->text + name, p - 1 - name),
                                         wring_bytes_of(path->text.data + value, k - value)};
    }
    return count;
}
