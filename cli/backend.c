/* SPDX-License-Identifier: Apache-2.0
 *
 * The option --backend of every subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

bool cli_backend_parse(const char *name, wring_backend *out) {
    *out = WRING_BACKEND_AUTO;
    if (name != NULL && wring_backend_parse(name, out) != WRING_OK) {
        cli_complain("--backend %s: there are auto, uring and epoll", name);
        return false;
    }
    return true;
}

void cli_backend_tell(wring_backend wanted) {
    static const char prefix[] = "io_uring: ";
    wring_backend picked;
    wring_error reason;
    if (wring_backend_pick(wanted, &picked, &reason) == WRING_OK && reason.system_errno != 0) {
        const bool has_prefix = strncmp(reason.text, prefix, sizeof prefix - 1) == 0;
        fprintf(stderr, "wring: runs on epoll, where everything works; not on io_uring: %s\n",
                reason.text + (has_prefix ? sizeof prefix - 1 : 0));
    }
}

bool cli_backend_print(wring_backend wanted) {
    wring_backend picked;
    wring_error reason;
    const wring_result result = wring_backend_pick(wanted, &picked, &reason);
    printf("backend = %s\n", wring_backend_name(wanted));
    printf("backend-picked = %s\nbackend-reason = %s\n",
           result == WRING_OK ? wring_backend_name(picked) : "none", reason.text);
    return result == WRING_OK;
}
