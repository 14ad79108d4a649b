/* SPDX-License-Identifier: Apache-2.0
 *
 * Visits to the sessions of a worker, a bounded number in a turn.
 */
#ifndef WRING_SERVER_VISIT_H
#define WRING_SERVER_VISIT_H

#include "wring/server.h"

struct wring__server_worker;

/** Every session's deadline, queue and end are looked at again. */
void wring__visit_settle_all(struct wring__server_worker *worker);

/** The worker ends: so do its visits, and their owners are told. */
void wring__visit_end_all(struct wring__server_worker *worker);

#endif
