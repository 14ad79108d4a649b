/* SPDX-License-Identifier: Apache-2.0
 *
 * The methods a route serves: a checked list, asked once a request.
 */
#ifndef WRING_SERVER_METHODS_H
#define WRING_SERVER_METHODS_H

#include "core/base.h"

/** The methods that have a bit of their own, in the order of an Allow header. */
#define WRING__METHOD_TABLE(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum wring__method_index {
#define WRING__METHOD_ROW(name) WRING__METHOD_INDEX_##name,
    WRING__METHOD_TABLE(WRING__METHOD_ROW)
#undef WRING__METHOD_ROW
        WRING__METHOD_INDEX_OTHER
};

enum wring__method_bit {
    WRING__METHOD_NONE = 0, /* CONNECT and TRACE: no route serves them */
#define WRING__METHOD_ROW(name) WRING__METHOD_##name = 1 << WRING__METHOD_INDEX_##name,
    WRING__METHOD_TABLE(WRING__METHOD_ROW)
#undef WRING__METHOD_ROW
        WRING__METHOD_OTHER = 1 << WRING__METHOD_INDEX_OTHER /* told apart by its name */
};

typedef struct wring__methods {
    const char *text; /* the application's list */
    unsigned bits;    /* of enum wring__method_bit */
    bool are_all;     /* "*" */
} wring__methods;

/** @param text  "GET, POST" or "*"
 *  Returns NULL, or what is wrong with it, as the end of a sentence that begins with its route. */
WRING_MUST_CHECK const char *wring__methods_init(wring__methods *methods, const char *text);

/** The bit of a request's method. */
enum wring__method_bit wring__method_bit(wring_bytes method);

/** The slow half of wring__methods_have: a method without a bit of its own. */
bool wring__methods_have_other(const wring__methods *methods, wring_bytes method);

/** @param bit  of `method` */
static inline bool wring__methods_have(const wring__methods *methods, enum wring__method_bit bit,
                                       wring_bytes method) {
    return (methods->bits & bit) != 0 &&
           (bit != WRING__METHOD_OTHER || wring__methods_have_other(methods, method));
}

/** Writes the names of the bits as an Allow header has them: "GET, HEAD". */
void wring__methods_write(unsigned bits, char *out, size_t cap);

/** Adds the methods of a list that have no bit, except those that `out` has. False: `out` has no
 *  room for all of them. */
bool wring__methods_write_others(const wring__methods *methods, char *out, size_t cap);

/** The first method that both serve, as `later` lists it; empty: there is none, or `later` has "*",
 *  which is for all others then. */
wring_bytes wring__methods_common(const wring__methods *earlier, const wring__methods *later);

/** Whether `earlier` serves all that `later` does. */
bool wring__methods_cover(const wring__methods *earlier, const wring__methods *later);

#endif
