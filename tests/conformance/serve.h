/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring serve` as the server under test.
 */
#ifndef WRING_TESTS_CONFORMANCE_SERVE_H
#define WRING_TESTS_CONFORMANCE_SERVE_H

/* Starts one at a port of the system's choice and says host:port. It ends with this process, which
 * ends with 1 when one of them ends badly.  `more`: options; NULL ends them. */
const char *serve_start(const char *wring, const char *const *more);

#endif
