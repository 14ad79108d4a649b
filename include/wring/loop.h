/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker thread by number: where a client lives. wring_pool_loop gives those of threads of their
 * own, wring_server_loop those of a server.
 */
#ifndef WRING_LOOP_H
#define WRING_LOOP_H

#include <stdint.h>

/** A number; one whose worker has ended is answered with WRING_ERR_CLOSED. */
typedef uint32_t wring_loop;
/** No worker. */
#define WRING_LOOP_NONE 0u

#endif
