/* SPDX-License-Identifier: Apache-2.0
 *
 * Which close codes are legal, and their names (RFC 6455 7.4). Pure lookups, any thread.
 */
#include "wring/close.h"

/* RFC 6455 7.4.1 and the IANA registry, read as one table. */
enum wire { NEVER, ALWAYS, BY_OPT_IN };

static const struct {
    uint16_t first;
    uint16_t last;
    enum wire wire;
    const char *name;
} codes[] = {
    {1000, 1000, ALWAYS, "normal"},
    {1001, 1001, ALWAYS, "going_away"},
    {1002, 1002, ALWAYS, "protocol_error"},
    {1003, 1003, ALWAYS, "unsupported_data"},
    {1004, 1004, NEVER, "reserved"},
    {1005, 1005, NEVER, "no_status"},
    {1006, 1006, NEVER, "abnormal"},
    {1007, 1007, ALWAYS, "invalid_utf8"},
    {1008, 1008, ALWAYS, "policy_violation"},
    {1009, 1009, ALWAYS, "message_too_big"},
    {1010, 1010, ALWAYS, "extension_required"},
    {1011, 1011, ALWAYS, "internal_error"},
    {1012, 1012, BY_OPT_IN, "service_restart"},
    {1013, 1013, BY_OPT_IN, "try_again_later"},
    {1014, 1014, BY_OPT_IN, "bad_gateway"},
    {1015, 1015, NEVER, "tls_handshake"},
    {3000, 3999, ALWAYS, "registered"},
    {4000, 4999, ALWAYS, "private"},
};

static enum wire code_wire(uint32_t code) {
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (code >= codes[i].first && code <= codes[i].last) {
            return codes[i].wire;
        }
    }
    return NEVER;
}

bool wring_close_valid_on_wire(uint32_t code) {
    return code_wire(code) == ALWAYS;
}

bool wring_close_valid_on_wire_iana(uint32_t code) {
    return code_wire(code) != NEVER;
}

const char *wring_close_reason_name(uint32_t code) {
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (code >= codes[i].first && code <= codes[i].last) {
            return codes[i].name;
        }
    }
    return "unassigned";
}
