/* SPDX-License-Identifier: Apache-2.0
 *
 * What signals mean to `wring serve`, and what its main thread looks at while it waits for one.
 */
#ifndef WRING_CLI_SERVE_SIGNALS_H
#define WRING_CLI_SERVE_SIGNALS_H

#include "wring/server.h"

/** Before any thread is started: each signal gets its meaning (see `wring serve --help`). */
void serve_signals_prepare(void);

/** Waits for SIGINT or SIGTERM, which is returned. Meanwhile SIGHUP reads certificates again, and
 *  errors of accepting are told once. From then on a second SIGINT or SIGTERM ends the process. */
int serve_signals_wait(wring_server *server);

#endif
