/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of requests, percent-decoded and checked; and the patterns of routes, which are compared
 * with them.
 *
 * A path has two forms of the same length. `text` is the decoded path. `key` is what patterns are
 * compared with: the same bytes, except that a '/' that was written as %2F is WRING__PATH_SLASH
 * there, so that it never splits a segment.
 */
#ifndef WRING_SERVER_PATH_H
#define WRING_SERVER_PATH_H

#include "core/base.h"
#include "wring/http.h"

/** Parameters that one pattern may have. */
#define WRING__PARAMS_MAX 16
/** A slash inside a segment. No path has this byte otherwise: control bytes are refused. */
#define WRING__PATH_SLASH 1

typedef struct wring__path {
    wring_bytes text;
    wring_bytes key;
} wring__path;

/** Decodes and checks a raw path.
 *  @param storage  room for 2 * raw.len bytes; written to only when the path has escapes
 *  @param out      views of `raw`, or of `storage`
 *  Errors: WRING_ERR_BAD_HTTP: a '%' without two hexadecimal digits, a control byte, also a decoded
 *          one, or a dot segment ("." or ".."), also a decoded one. Clients resolve dot segments
 *          before they send; a server that resolved them too would make two URLs one resource, and
 *          one that did not would let them through to the file system.
 *  RFC: 3986 2.1, 3.3, 5.2.4 */
WRING_MUST_CHECK wring_result wring__path_decode(wring_bytes raw, uint8_t *storage,
                                                 wring__path *out);

typedef enum wring__pattern_kind {
    WRING__PATTERN_EXACT,  /* the whole key */
    WRING__PATTERN_PREFIX, /* a key that begins with it: the pattern had a '*' at its end */
    WRING__PATTERN_PARAMS  /* has `{name}` segments */
} wring__pattern_kind;

/** A checked pattern of a route. */
typedef struct wring__path_pattern {
    const char *text; /* the application's */
    size_t len;       /* without the '*' at the end */
    wring__pattern_kind kind;
    bool is_open; /* had the '*' */
} wring__path_pattern;

/** Checks a pattern. Returns NULL, or what is wrong with it, as the end of a sentence that begins
 *  with its route. */
WRING_MUST_CHECK const char *wring__path_pattern_init(wring__path_pattern *pattern,
                                                      const char *text);

/** The slow half of wring__path_pattern_matches. */
bool wring__path_pattern_walk(const wring__path_pattern *pattern, wring_bytes key);

/** Whether a path's key matches.   Cost: a memcmp where there are no parameters. */
static inline bool wring__path_pattern_matches(const wring__path_pattern *pattern,
                                               wring_bytes key) {
    if (pattern->kind == WRING__PATTERN_PARAMS) {
        return wring__path_pattern_walk(pattern, key);
    }
    const bool long_enough =
        pattern->kind == WRING__PATTERN_EXACT ? key.len == pattern->len : key.len >= pattern->len;
    return long_enough && memcmp(key.data, pattern->text, pattern->len) == 0;
}

/** Whether each path that `later` matches is one that `earlier` matches.   Cost: as of a match. */
bool wring__path_pattern_covers(const wring__path_pattern *earlier,
                                const wring__path_pattern *later);

/** The parameters of a path that matches. Names are views of the pattern, values of `path->text`.
 *  Returns how many there are. */
size_t wring__path_pattern_params(const wring__path_pattern *pattern, const wring__path *path,
                                  wring_header params[WRING__PARAMS_MAX]);

#endif
