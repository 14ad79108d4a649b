/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP: header lists, heads, requests, and what is read from them (query, cookies, tokens). No I/O.
 * The checks of an upgrade are in wring/upgrade.h.
 */
#ifndef WRING_HTTP_H
#define WRING_HTTP_H

#include "wring/bytes.h"
#include "wring/handler.h"
#include "wring/result.h"
#include "wring/tls.h"

WRING_BEGIN_DECLS

/** One header field. */
typedef struct wring_header {
    wring_bytes name;  /**< as it stands in the head; ':' is the first byte of a pseudo-header */
    wring_bytes value; /**< without the spaces around it */
} wring_header;

/** Headers in the order of the head; names are compared case-insensitively. */
typedef struct wring_headers {
    const wring_header *list; /**< borrowed from whoever gave the view */
    size_t count;             /**< elements of `list` */
} wring_headers;

/** The first header of this name.  @param value  set when found
 *  Thread: any. Cost: linear. */
WRING_API bool wring_headers_get(wring_headers headers, const char *name, wring_bytes *value);

/** How many headers have this name. */
WRING_API size_t wring_headers_count(wring_headers headers, const char *name);

/** Where wring_headers_next is in a list; zeroed before the first call. */
typedef struct wring_list_cursor {
    size_t header; /**< the library's */
    size_t offset; /**< the library's */
} wring_list_cursor;

/** Walks the elements of a comma-separated list header, over all headers of that name, as one list;
 *  quoted strings may hold commas.
 *  @param cursor   zeroed before the first call
 *  @param element  the next element
 *  Returns false when there is none.   Thread: any. Cost: linear.   RFC: 9110 5.6.1 */
WRING_API bool wring_headers_next(wring_headers headers, const char *name,
                                  wring_list_cursor *cursor, wring_bytes *element);

/** True when the list header `name` has the element `token`, case-insensitively. */
WRING_API bool wring_headers_has_token(wring_headers headers, const char *name, const char *token);

/** A request. Everything is borrowed. */
struct wring_request {
    uint32_t struct_size;      /**< sizeof(struct wring_request) */
    uint32_t http_version;     /**< 10 or 11 for HTTP/1.0 and 1.1, 20 for HTTP/2 */
    wring_bytes method;        /**< "GET" */
    wring_bytes target;        /**< as in the request line */
    wring_bytes path;          /**< up to '?'. A server's is percent-decoded; raw from
                                    wring_h1_request_parse, and of a client's session */
    wring_bytes query;         /**< behind '?', raw; empty if there is none */
    wring_bytes host;          /**< the Host header, :authority, or the authority of the target */
    wring_headers headers;     /**< all of them, in order; of a client's session: the answer's */
    wring_bytes origin;        /**< empty if there is none */
    wring_bytes subprotocol;   /**< the one chosen; empty if none. The ones offered, and the
                                    extensions, are read with wring_headers_next */
    wring_bytes peer;          /**< "address:port"; empty where it is not known */
    const wring_tls_info *tls; /**< NULL: not over TLS */
    wring_server *server;      /**< which it came to; NULL for a client's and an embedder's */
    wring_bytes body;          /**< of an exchange whose body was collected; else empty */
    wring_headers params;      /**< a server's: the parameters of the route's path, by name,
                                    percent-decoded */
    void *accept_data;         /**< of a session: what its upgrade was accepted with */
};

/* ---- reading requests ------------------------------------------------------------------------ */

/** Percent-decodes `text`, once. '+' stays as it is; bytes that are not ASCII do too. "%00" gives a
 *  NUL byte: look for one before you use the text as a C string or as the name of a file.
 *  @param out  room for text.len bytes; may be text.data. After an error it is as it was
 *  @param len  bytes written; 0 after an error
 *  Errors: WRING_ERR_INVALID_ARGUMENT ('%' without two hexadecimal digits).
 *  Thread: any. Cost: linear.   RFC: 3986 2.1 */
WRING_API WRING_MUST_CHECK wring_result wring_percent_decode(wring_bytes text, uint8_t *out,
                                                             size_t *len);

/** Where wring_query_next is in a query; zeroed before the first call. */
typedef struct wring_query_cursor {
    size_t offset; /**< the library's */
} wring_query_cursor;

/** Walks the `name=value` pairs of a query, or of a body of type application/x-www-form-urlencoded.
 *  Both come as they were sent; wring_query_decode decodes one. The first '=' of a pair ends its
 *  name. Pairs are separated by '&' only, not by ';'. Empty pairs ("&&") are skipped. A name may be
 *  empty ("=c"), and so may a value ("b="); a pair without '=' is a name with an empty value.
 *  @param query   without the '?' before it
 *  @param cursor  zeroed before the first call
 *  @param name    set when there is a pair; borrowed from `query`, like `value`
 *  Returns false when there is none.   Thread: any. Cost: linear in the pair. */
WRING_API bool wring_query_next(wring_bytes query, wring_query_cursor *cursor, wring_bytes *name,
                                wring_bytes *value);

/** As wring_percent_decode, and '+' is a space. */
WRING_API WRING_MUST_CHECK wring_result wring_query_decode(wring_bytes text, uint8_t *out,
                                                           size_t *len);

/** The first value of this name, decoded as wring_query_decode does. Later ones of the same name
 *  are found with wring_query_next.
 *  @param name  compared with the decoded names of the query, case-sensitively. A malformed name of
 *               the query equals no name
 *  @param out   not inside `query`
 *  @param len   bytes of the value written to `out`; 0 after an error
 *  Errors: WRING_ERR_NOT_FOUND, WRING_ERR_INVALID_ARGUMENT (the value is malformed, or longer than
 *          `cap`). After an error nothing was written to `out`.
 *  Thread: any. Cost: linear. */
WRING_API WRING_MUST_CHECK wring_result wring_query_get(wring_bytes query, const char *name,
                                                        uint8_t *out, size_t cap, size_t *len);

/** The value of the first cookie of this name, over all Cookie headers (HTTP/2 may send each cookie
 *  in a header of its own). The double quotes around a value are left out; nothing is decoded.
 *  Cookies are separated by ';', also within quotes, and the spaces around each are left out. What
 *  has no '=' is no cookie.
 *  @param name   a token, compared case-sensitively
 *  @param value  set when found; borrowed from `headers`
 *  Returns false when there is none.
 *  Thread: any. Cost: linear.   RFC: 6265 4.2, 9113 8.2.3 */
WRING_API bool wring_cookie_get(wring_headers headers, const char *name, wring_bytes *value);

/** A Set-Cookie value to be written. 0 and NULL: the attribute is left out, or has the default that
 *  its comment gives. */
typedef struct wring_cookie {
    uint32_t struct_size;    /**< sizeof(wring_cookie) */
    bool is_insecure;        /**< without Secure: also sent over plain HTTP. Browsers drop a Secure
                                  cookie that came over plain HTTP, except some from localhost: set
                                  this where you develop without TLS */
    bool is_for_scripts;     /**< without HttpOnly: scripts can read it */
    const char *name;        /**< a token. "__Secure-..." needs Secure; "__Host-..." needs Secure,
                                  the path "/" and no domain */
    wring_bytes value;       /**< ASCII; no space, quote, comma, semicolon, backslash or control
                                  byte. May be empty; with the name at most 4,096 bytes */
    const char *path;        /**< begins with '/'; default "/" */
    const char *domain;      /**< and the hosts below it, without a dot in front; default: this host
                                  only */
    int64_t age_max_seconds; /**< default: until the browser is closed; negative: removes it */
    const char *same_site;   /**< "Lax" (the default), "Strict" or "None", which needs Secure */
} wring_cookie;

/** Writes the value of a Set-Cookie header, with a NUL behind it: the attributes Path, Domain,
 *  Max-Age, SameSite, Secure and HttpOnly, in this order. What browsers would drop is refused.
 *  @param cap  bytes of `out`, with the one for the NUL
 *  @param len  bytes written, without the NUL; 0 after an error
 *  Errors: WRING_ERR_INVALID_ARGUMENT (an illegal name, value or attribute; SameSite=None without
 *          Secure; a name whose prefix is not kept; `cap` is too small; struct_size).
 *  Thread: any.   RFC: 6265 4.1, 6265bis 4.1.3 */
WRING_API WRING_MUST_CHECK wring_result wring_cookie_write(const wring_cookie *cookie, char *out,
                                                           size_t cap, size_t *len);

/** The token of `Authorization: Bearer token`. The scheme's name has any case; one space or more
 *  stand behind it; the token has letters, digits and "-._~+/", then any number of '='.
 *  @param token  set when found; borrowed from `headers`. It was checked for its form only
 *  Returns false when there is none, or more than one Authorization header.
 *  Thread: any.   RFC: 6750 2.1 */
WRING_API bool wring_bearer_get(wring_headers headers, wring_bytes *token);

/** The parameter of a route's path, `{name}` there, percent-decoded.
 *  @param name   compared case-sensitively
 *  @param value  set when found; borrowed from `request`
 *  Returns false when there is none.   Thread: any. */
WRING_API bool wring_request_param(const wring_request *request, const char *name,
                                   wring_bytes *value);

/** Fields a head may have. */
#define WRING_HTTP_FIELDS_MAX 64 /* the text of WRING_ERR_TOO_MANY_HEADERS names it */

/** Parses a request head at the start of `bytes`, for an embedder without an HTTP parser.
 *  @param list      room for WRING_HTTP_FIELDS_MAX; with `out` it borrows from `bytes`
 *  @param out       its struct_size is set by the caller
 *  @param head_len  length of the head; what follows are the first frames
 *  Errors: WRING_MORE (call again with more of it), WRING_ERR_BAD_HTTP, _BAD_HTTP_VERSION (of a
 *  request also for 1.0, which has no upgrade), _TOO_MANY_HEADERS, _TARGET_TOO_BIG (8 KiB),
 *  _HANDSHAKE_TOO_BIG (64 KiB).
 *  Thread: any. Cost: linear in `bytes` at every call, so bound how often you come back.
 *  RFC: 9112, strictly */
WRING_API WRING_MUST_CHECK wring_result wring_h1_request_parse(wring_bytes bytes,
                                                               wring_header *list,
                                                               wring_request *out,
                                                               size_t *head_len);

/** The same for a response. */
WRING_API WRING_MUST_CHECK wring_result wring_h1_response_parse(wring_bytes bytes,
                                                                wring_header *list, int *status,
                                                                wring_headers *headers,
                                                                size_t *head_len);

/** The HTTP status that tells a client about a failed request or upgrade: 400, 405, 413, 414, 426,
 *  431, 501, 503, 505 ... */
WRING_API int wring_http_status(wring_result result);

/** "Bad Request" for 400; "" for one that is not registered. */
WRING_API const char *wring_http_reason(int status);

WRING_END_DECLS

#endif
