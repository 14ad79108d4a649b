/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client of HTTP/2 sends, as bytes, for bench-budget: no state, no window is waited for.
 */
#ifndef WRING_BENCH_H2_CLIENT_H
#define WRING_BENCH_H2_CLIENT_H

#include "core/base.h"

/* Preface and settings, with windows that no run uses up. */
#define H2_CLIENT_BEGIN_MAX 128
size_t h2_client_begin(uint8_t *out);

/* An extended CONNECT on a stream: of connection's n-th, from 0. */
#define H2_CLIENT_OPEN_MAX 256
size_t h2_client_open(uint8_t *out, unsigned n);

/* One DATA frame of it. */
#define H2_CLIENT_DATA_HEAD 9
size_t h2_client_data(uint8_t *out, unsigned n, wring_bytes bytes);

#endif
