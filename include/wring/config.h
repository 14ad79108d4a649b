/* SPDX-License-Identifier: Apache-2.0
 *
 * What every configuration has in common, and the limits of a session.
 *
 * Public structs are of two kinds.
 *
 *   Records begin with `struct_size`. Whoever owns the memory sets it to sizeof(the struct): the
 *   caller for what it fills in or asks for, the library for what it hands to a callback. A record
 *   only ever grows at its end. The library accepts the size of an older header: fields behind it
 *   are taken as 0. It accepts a newer size as well, if what it does not know is 0; anything else
 *   is an error that names the record. Arrays of records (routes, rules) have the size of their
 *   first element as their stride, so all elements have the same size.
 *   No record lies in another one by value.
 *
 *   Values have no `struct_size` and never change: wring_bytes, wring_mut_bytes, wring_frame,
 *   wring_message, wring_info, wring_event, wring_header, wring_headers, wring_list_cursor,
 *   wring_query_cursor, wring_url, wring_deflate_params, wring_error, wring_log_field.
 *
 * In each configuration field 0 (or NULL) means the default, which the field's comment gives.
 * WRING_OFF in a 32-bit field means that the thing is not done: no timeout, no window.
 * WRING_UNLIMITED in a 64-bit field means that there is no limit.
 */
#ifndef WRING_CONFIG_H
#define WRING_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "wring/export.h"

WRING_BEGIN_DECLS

/** A 32-bit field (a time, a window): it is not done. */
#define WRING_OFF UINT32_MAX
/** A 64-bit field (bytes, messages a second): without a limit. */
#define WRING_UNLIMITED UINT64_MAX

/** Limits and timeouts of one session, whichever end it is. */
typedef struct wring_session_config {
    uint32_t struct_size;        /**< sizeof(wring_session_config) */
    bool allow_iana_close_codes; /**< also 1012, 1013 and 1014 on the wire */
    uint64_t frame_bytes_max;    /**< payload of one received frame; default 16 MiB */
    uint64_t message_bytes_max;  /**< payload of one received message; default 64 MiB */
    uint64_t fragment_bytes_max; /**< memory that the fragments of one received message may hold,
                                      bookkeeping included; default twice message_bytes_max, and
                                      1 MiB at least */
    uint32_t close_timeout_ms;   /**< wait for the peer's close frame; default 5,000 */
    uint32_t idle_timeout_ms;    /**< the session ends when nothing was received for this time;
                                      default WRING_OFF */
    uint32_t ping_interval_ms;   /**< a ping is sent when nothing was received for this time;
                                      default WRING_OFF */
    uint32_t pong_timeout_ms;    /**< the session ends when nothing was received for this time
                                      after a ping; default 20,000 */
} wring_session_config;

WRING_END_DECLS

#endif
