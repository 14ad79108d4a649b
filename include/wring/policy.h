/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server allows its sessions: limits and timeouts, compression, rates, and what it does with
 * a peer that reads too slowly. A server has one policy for all its sessions, and each route may
 * have one of its own, which says what is different there.
 */
#ifndef WRING_POLICY_H
#define WRING_POLICY_H

#include "wring/config.h"
#include "wring/deflate.h"

WRING_BEGIN_DECLS

/** What becomes of a message published to a peer that does not keep up. */
typedef enum wring_slow_policy {
    WRING_SLOW_DEFAULT,     /**< as the server's policy says, whose default is DISCONNECT */
    WRING_SLOW_DISCONNECT,  /**< at the hard mark the session ends with WRING_ERR_SLOW_CONSUMER:
                                 1008, or 1013 with allow_iana_close_codes */
    WRING_SLOW_DROP_NEWEST, /**< at the hard mark the message is dropped */
    WRING_SLOW_DROP_OLDEST, /**< above the soft mark messages wait, and at the hard mark those that
                                 wait longest are dropped. Other frames may overtake messages that
                                 wait */
    WRING_SLOW_KEEP_LATEST  /**< the same, and of the messages that wait only the newest of each
                                 topic and key is kept */
} wring_slow_policy;

/** Copied with what it points to. In a route's policy 0 and NULL mean: as the server's policy,
 * field by field, also within `session`; but `deflate` replaces the server's as a whole. A route
 * cannot turn allow_iana_close_codes off again. */
typedef struct wring_policy {
    uint32_t struct_size;                /**< sizeof(wring_policy) */
    wring_slow_policy slow_policy;       /**< default WRING_SLOW_DISCONNECT */
    const wring_session_config *session; /**< limits and timeouts; NULL: the defaults */
    const wring_deflate_config *deflate; /**< permessage-deflate is accepted; NULL: it is not */
    bool no_deflate; /**< permessage-deflate is not accepted, whatever `deflate` and the server's
                          policy say */
    uint64_t send_soft_bytes; /**< bytes queued to a peer above which it counts as slow; default
                                   64 KiB */
    uint64_t send_hard_bytes; /**< bytes queued to a peer above which messages from other threads
                                   are refused and `slow_policy` acts; default twice pause_bytes of
                                   the server. wring_session_send is refused only above
                                   send_hard_bytes and message_bytes_max together */
    uint32_t slow_timeout_ms; /**< above the soft mark for this time ends the session, whatever the
                                   slow policy; default WRING_OFF */
    uint32_t age_max_ms;      /**< a session of this age, less up to a tenth by chance, is closed
                                   with 1001; default WRING_OFF */
    uint64_t messages_per_second; /**< received from one peer; more ends the session with 1008.
                                       Requests of one connection, too: one more gets 429, and the
                                       connection ends. Default WRING_UNLIMITED */
    uint64_t messages_burst;      /**< ... and this many at once; default twice the rate */
    uint64_t controls_per_second; /**< the same of pings and pongs; default 100 */
    uint64_t controls_burst;      /**< and this many at once; default 500, whatever the rate */
    uint64_t subscriptions_max;   /**< topics of one session; default 1,024 */
} wring_policy;

/** Fills in every default, as a server does with its policy; for showing it.
 *  @param pause_bytes  of the server's adopted configuration
 *  @param session      room for the adopted limits, which out->session then points to
 *  Errors: WRING_ERR_INVALID_CONFIG; `error` names the field.   Thread: any. */
WRING_API WRING_MUST_CHECK wring_result wring_policy_adopt(const wring_policy *in,
                                                           uint64_t pause_bytes, wring_policy *out,
                                                           wring_session_config *session,
                                                           wring_error *error);

WRING_END_DECLS

#endif
