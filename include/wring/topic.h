/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics: who is subscribed gets what is published, on every worker, framed once.
 */
#ifndef WRING_TOPIC_H
#define WRING_TOPIC_H

#include "wring/policy.h"
#include "wring/session.h"

WRING_BEGIN_DECLS

/** Longest topic name in bytes. */
#define WRING_TOPIC_MAX 255

/** How topics whose name matches behave. */
typedef struct wring_topic_rule {
    uint32_t struct_size;          /**< sizeof(wring_topic_rule) */
    const char *name;              /**< exact; a '*' at its end matches any rest */
    wring_slow_policy slow_policy; /**< WRING_SLOW_DEFAULT: that of each session's policy */
    uint32_t coalesce_us;          /**< 0: the server's; WRING_OFF: none */
    wring_compress compress;       /**< of publications that do not say themselves */
    uint64_t message_bytes_max;    /**< longer publications are refused with
                                        WRING_ERR_MESSAGE_TOO_BIG, also where nobody is subscribed;
                                        default WRING_UNLIMITED */
} wring_topic_rule;

/* ---- subscribing ----------------------------------------------------------------------------- */

/** Subscribes the session; a second time does nothing. The subscription ends with the session.
 *  Errors: WRING_ERR_INVALID_ARGUMENT (the name is empty or too long), WRING_ERR_TOO_MANY_TOPICS,
 *          WRING_ERR_NO_MEMORY, WRING_ERR_INVALID_STATE (not a server's session)
 *  Thread: the session's worker, from a callback */
WRING_API WRING_MUST_CHECK wring_result wring_session_subscribe(wring_session *session,
                                                                wring_bytes topic);

/** Ends a subscription. Not being subscribed is legal.
 *  Thread: the session's worker, from a callback */
WRING_API void wring_session_unsubscribe(wring_session *session, wring_bytes topic);

/** Has the session's worker subscribe it, in order with what this thread sends to the
 *  session. A subscription begins when the worker has come to it: what is published before then is
 *  missed, also by this thread. After an unsubscription nothing arrives that this thread publishes.
 *  A session that is gone, is closing, or has too many topics is not subscribed, which counts in
 *  mail_lost.
 *  Errors: WRING_ERR_INVALID_ARGUMENT (the name), and those of wring_ref_send
 *  Thread: any */
WRING_API WRING_MUST_CHECK wring_result wring_ref_subscribe(wring_ref ref, wring_bytes topic);

/** Has the session's worker unsubscribe it, in the same order.
 *  Errors: as wring_ref_subscribe
 *  Thread: any */
WRING_API WRING_MUST_CHECK wring_result wring_ref_unsubscribe(wring_ref ref, wring_bytes topic);

/* ---- publishing ------------------------------------------------------------------------------ */

/** Options of a publish. */
typedef struct wring_publish_options {
    uint32_t struct_size; /**< sizeof(wring_publish_options) */
    wring_session *from;  /**< does not get the message; only from one of its callbacks */
    uint64_t key;         /**< for WRING_SLOW_KEEP_LATEST: what a newer message replaces */
} wring_publish_options;

/** Sends one TEXT or BINARY frame to every subscriber on every worker: framed once, shared. What
 *  one thread publishes to one topic arrives in order.
 *  Errors: WRING_ERR_INVALID_ARGUMENT, WRING_ERR_NO_MEMORY, WRING_ERR_CLOSED (no worker runs),
 *          WRING_ERR_MESSAGE_TOO_BIG (the topic's rule), WRING_ERR_QUEUE_FULL (a worker's
 *          mailbox was full: its subscribers miss the message, all others get it, and would get it
 *          twice if it was published again)
 *  Thread: any, callbacks included. Cost: one allocation, and one mailbox item for each worker that
 *          has subscribers; next to nothing when there are none */
WRING_API WRING_MUST_CHECK wring_result wring_server_publish(wring_server *server,
                                                             wring_bytes topic,
                                                             const wring_frame *frame);

/** wring_server_publish with options.
 *  Errors: those of wring_server_publish; WRING_ERR_INVALID_ARGUMENT without struct_size;
 *          WRING_ERR_INVALID_STATE when `from` is no session of this server */
WRING_API WRING_MUST_CHECK wring_result
wring_server_publish_with(wring_server *server, wring_bytes topic, const wring_frame *frame,
                          const wring_publish_options *options);

/** wring_server_publish to every subscriber except the session itself.
 *  Errors: those of wring_server_publish; WRING_ERR_INVALID_STATE (not a server's session)
 *  Thread: the session's worker, from a callback */
WRING_API WRING_MUST_CHECK wring_result wring_session_publish(wring_session *session,
                                                              wring_bytes topic,
                                                              const wring_frame *frame);

/* ---- all subscribers of a topic -------------------------------------------------------------- */

/** Begins the close handshake with every subscriber of the topic. What this thread published before
 *  goes out first. A code that is illegal on the wire goes out as 1002.
 *  Errors: as wring_server_publish
 *  Thread: any. Cost: one mailbox item for each worker that has subscribers */
WRING_API WRING_MUST_CHECK wring_result wring_server_close_topic(wring_server *server,
                                                                 wring_bytes topic, uint16_t code,
                                                                 wring_bytes reason);

/** Ends every subscription of the topic. What this thread published before still arrives.
 *  Errors: as wring_server_publish
 *  Thread: any. Cost: one mailbox item for each worker that has subscribers */
WRING_API WRING_MUST_CHECK wring_result wring_server_unsubscribe_topic(wring_server *server,
                                                                       wring_bytes topic);

/** How many workers have subscribers of the topic; now and then one too many.   Thread: any. */
WRING_API uint32_t wring_server_topic_workers(const wring_server *server, wring_bytes topic);

/* ---- changed while it runs ------------------------------------------------------------------- */

/** Replaces all topic rules. What is published from now on is judged by the new ones, and
 *  subscribed topics behave by them. Nothing is dropped: what waits in a coalescing window leaves
 *  when that window ends.
 *  @param rules  copied, names included
 *  Errors: WRING_ERR_INVALID_CONFIG (`error` names the rule), WRING_ERR_NO_MEMORY. Then nothing has
 *          changed. Else the change is complete when this returns, and each worker takes it over in
 *          its next turn
 *  Thread: any. Cost: on each worker, a walk over its topics */
WRING_API WRING_MUST_CHECK wring_result wring_server_set_topic_rules(wring_server *server,
                                                                     const wring_topic_rule *rules,
                                                                     size_t count,
                                                                     wring_error *error);

WRING_END_DECLS

#endif
