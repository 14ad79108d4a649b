/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sessions of a route may do: a policy of the API with every default filled in.
 */
#ifndef WRING_SERVER_POLICY_H
#define WRING_SERVER_POLICY_H

#include "proto/machine.h"
#include "wring/policy.h"

/** Adopted. `config.session` and `config.deflate` are not looked at: `session` and `deflate` are.
 */
typedef struct wring__policy {
    wring_policy config;
    wring_session_config session;
    wring_deflate_config deflate; /* where has_deflate */
    bool has_deflate;
} wring__policy;

/** As the application gave it: what it left open is 0. Pointers are to what stands beside them. */
typedef struct wring__policy_given {
    wring_policy config;
    wring_session_config session;
    wring_deflate_config deflate;
} wring__policy_given;

/** Copies it with what it points to.  @param in  NULL: nothing is set
 *  Errors: WRING_ERR_INVALID_CONFIG (sizes). */
WRING_MUST_CHECK wring_result wring__policy_keep(const wring_policy *in, wring__policy_given *out,
                                                 wring_error *error);

/** Fills in and checks.
 *  @param in           NULL: nothing is set
 *  @param base         the server's, which a route's begins with; NULL: this is the server's
 *  @param pause_bytes  the server's
 *  Errors: WRING_ERR_INVALID_CONFIG; `error` names the field. */
WRING_MUST_CHECK wring_result wring__policy_adopt(const wring_policy *in, const wring__policy *base,
                                                  uint64_t pause_bytes, wring__policy *out,
                                                  wring_error *error);

#endif
