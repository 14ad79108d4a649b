/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect` at a terminal: its own line editing does.
 */
#include "cli/connect_output.h"

bool connect_editor_can_run(void) {
    return false;
}

void connect_editor_run(connect_output *output) {
    (void)output; /* is never started */
}
