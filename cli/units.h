/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers with units, as people write them on a command line: "50k", "64KiB", "1m30s", "5%".
 * Pure functions; every one says false for text it does not understand whole. A small library of
 * its own, because the load generator (bench/load) reads sizes too.
 */
#ifndef WRING_CLI_UNITS_H
#define WRING_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#define UNITS_NS_PER_US  UINT64_C(1000)
#define UNITS_NS_PER_MS  UINT64_C(1000000)
#define UNITS_NS_PER_SEC UINT64_C(1000000000)

/** Reads the digits at `*text`, without a sign, and moves behind them. */
bool units_parse_number(const char **text, double *out);

/** "250", "2.5k", "1m", "1g": powers of 1,000.   For counts and rates. */
bool units_parse_count(const char *text, double *out);

/** "125", "16k", "1MiB": powers of 1,024; "b" and "ib" may follow, in either case. */
bool units_parse_bytes(const char *text, uint64_t *out);

/** "30s", "500ms", "5us", "2m", "1h", "1m30s". Not negative.
 *  @param plain  nanoseconds of 1 without a unit */
bool units_parse_duration(const char *text, uint64_t plain, uint64_t *ns);

/** "5%", "0.05": a share. */
bool units_parse_share(const char *text, double *out);

#endif
