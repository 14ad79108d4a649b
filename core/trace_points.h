/* SPDX-License-Identifier: Apache-2.0
 *
 * The observable events of the library on one page: X(name, what a says, what b says).
 */
#ifndef WRING_CORE_TRACE_POINTS_H
#define WRING_CORE_TRACE_POINTS_H

#define WRING_TRACE_POINTS(X)                                                                      \
    X(CONN_STATE, "slot", "the state it goes to")                                                  \
    X(RX_STOP, "slot", "the reasons there are now (enum wring__rx_stop)")                          \
    X(CONN_COMPLETE, "slot and operation", "result")                                               \
    X(HANDLE_IN, "opcode", "payload bytes")                                                        \
    X(TERMINATE, "close code", "error number, 0 for a clean end")                                  \
    X(PUBLISH, "subscribers", "payload bytes")

#endif
