/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP statuses: which one tells a client of a result, and their reason phrases.
 */
#include "core/base.h"
#include "wring/http.h"

int wring_http_status(wring_result result) {
    switch (result) {
    case WRING_ERR_FOREIGN_ORIGIN:
        return 403;
    case WRING_ERR_NOT_FOUND:
        return 404;
    case WRING_ERR_WRONG_METHOD:
        return 405;
    case WRING_ERR_TIMEOUT:
        return 408;
    case WRING_ERR_MESSAGE_TOO_BIG:
        return 413;
    case WRING_ERR_TARGET_TOO_BIG:
        return 414;
    case WRING_ERR_EXPECTATION:
        return 417;
    case WRING_ERR_MISDIRECTED:
        return 421;
    case WRING_ERR_UNSUPPORTED_VERSION:
    case WRING_ERR_MISSING_UPGRADE:
    case WRING_ERR_INVALID_UPGRADE:
        return 426;
    case WRING_ERR_RATE_LIMIT:
        return 429;
    case WRING_ERR_HANDSHAKE_TOO_BIG:
    case WRING_ERR_TOO_MANY_HEADERS:
        return 431;
    case WRING_ERR_UNSUPPORTED_ENCODING:
    case WRING_ERR_WRONG_PROTOCOL:
        return 501;
    case WRING_ERR_TOO_MANY_CONNECTIONS:
    case WRING_ERR_QUEUE_FULL:
    case WRING_ERR_MEMORY_BUDGET:
    case WRING_ERR_CLOSED:
        return 503;
    case WRING_ERR_BAD_HTTP_VERSION:
        return 505;
    default:
        return wring_result_class(result) == WRING_CLASS_PEER ? 400 : 500;
    }
}

/* The registered ones: RFC 9110 15, 4918 11, 5842 7, 3229 10.4.1, 2295 8.1, 2774 7, 6585, 7725,
 * 8297, 8470. */
static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [510] = "Not Extended",
    [511] = "Network Authentication Required",
};

const char *wring_http_reason(int status) {
    const bool known = status >= 0 && (size_t)status < WRING_ARRAY_LEN(reasons);
    return known && reasons[status] != NULL ? reasons[status] : "";
}
