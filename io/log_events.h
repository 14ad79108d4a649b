/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library logs: one row an event. The names are part of the API: programs filter by them.
 * Where each is told from is found by its name.
 */
#ifndef WRING_IO_LOG_EVENTS_H
#define WRING_IO_LOG_EVENTS_H

/* X(EVENT, level, "name") */
#define WRING__LOG_EVENTS(X)                                                                       \
    /* a server's or pool's life */                                                                \
    X(STARTED, NOTICE, "started")                                                                  \
    X(STOPPING, NOTICE, "stopping")                                                                \
    X(STOPPED, NOTICE, "stopped")                                                                  \
    X(BACKEND_FALLBACK, WARNING, "backend_fallback")                                               \
    X(TLS_RELOADED, NOTICE, "tls_reloaded")                                                        \
    X(POLICY_CHANGED, NOTICE, "policy_changed")                                                    \
    X(TOPIC_RULES_CHANGED, NOTICE, "topic_rules_changed")                                          \
    /* connections and requests */                                                                 \
    X(ACCEPT_FAILED, ERROR, "accept_failed")                                                       \
    X(CONNECTION_REFUSED, WARNING, "connection_refused")                                           \
    X(HANDSHAKE_EVICTED, WARNING, "handshake_evicted")                                             \
    X(HTTP2_BROKEN, INFO, "http2_broken")                                                          \
    X(CONNECTION_CALMED, WARNING, "connection_calmed")                                             \
    X(TLS_FAILED, INFO, "tls_failed")                                                              \
    X(REQUEST_REFUSED, INFO, "request_refused")                                                    \
    X(REQUEST_UNANSWERED, WARNING, "request_unanswered")                                           \
    /* sessions */                                                                                 \
    X(SESSION_OPENED, DEBUG, "session_opened")                                                     \
    X(SESSION_CLOSED, DEBUG, "session_closed")                                                     \
    X(SESSION_FAILED, INFO, "session_failed")                                                      \
    X(SESSION_ENDED_BY_US, WARNING, "session_ended_by_us")                                         \
    /* queues */                                                                                   \
    X(MEMORY_OVER_BUDGET, WARNING, "memory_over_budget")                                           \
    X(MEMORY_UNDER_BUDGET, NOTICE, "memory_under_budget")                                          \
    X(MAILBOX_FULL, WARNING, "mailbox_full")                                                       \
    /* clients */                                                                                  \
    X(CLIENT_OPEN, INFO, "client_open")                                                            \
    X(CLIENT_WAITING, WARNING, "client_waiting")                                                   \
    X(CLIENT_CLOSED, NOTICE, "client_closed")                                                      \
    X(LEFT_OUT, NOTICE, "records_left_out")                                                        \
    /* what applications write themselves, by any name */                                          \
    X(APPLICATION, NOTICE, "application")

enum wring__log_event {
#define WRING__LOG_ENUM(event, level, name) WRING__LOG_##event,
    WRING__LOG_EVENTS(WRING__LOG_ENUM)
#undef WRING__LOG_ENUM
        WRING__LOG_EVENT_COUNT
};

#endif
