/* SPDX-License-Identifier: Apache-2.0
 *
 * --verify: every byte of an answer is held against what was sent. A compressed answer is inflated
 * as it comes: whole frames by the thread's inflater, those in pieces by one of their own.
 */
#include "bench/load/engine.h"

static void plain_take(void *arg, const uint8_t *data, size_t len) {
    load_link *link = arg;
    load_echo_verify(link, link->rx.inflated, data, len);
    link->rx.inflated += len;
}

static bool does_not_inflate(load_link *link) {
    load_link_fail(link, "protocol: a compressed message does not inflate");
    return false;
}

bool load_verify_begin(load_link *link, bool in_pieces) {
    load_rx *rx = &link->rx;
    rx->inflated = 0;
    if (!in_pieces) {
        load_inflater_reset(link->thread->inflater);
        return true;
    }
    if (rx->inflater == NULL && (rx->inflater = load_inflater_create()) == NULL) {
        load_link_fail(link, "out of memory");
        return false;
    }
    return true;
}

bool load_verify_inflated(load_link *link, const uint8_t *data, size_t len) {
    load_inflater *own = link->rx.inflater;
    return load_inflate(own == NULL ? link->thread->inflater : own, data, len, plain_take, link) ||
           does_not_inflate(link);
}

bool load_verify_end(load_link *link) {
    static const uint8_t tail[] = {0, 0, 0xff, 0xff}; /* RFC 7692 7.2.2 */
    const bool ok = load_verify_inflated(link, tail, sizeof tail);
    if (ok && link->rx.inflated != link->thread->run->payload.len) { /* all are of one size */
        link->rx.fault = "answer: another length than was sent";
    }
    load_inflater_destroy(link->rx.inflater);
    link->rx.inflater = NULL;
    return ok;
}
