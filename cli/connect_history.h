/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines that were sent before: $XDG_STATE_HOME/wring/history, else
 * ~/.local/state/wring/history. Plain text, a line each, the newest last, none twice. Several
 * commands may add to it at once.
 */
#ifndef WRING_CLI_CONNECT_HISTORY_H
#define WRING_CLI_CONNECT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#define CONNECT_HISTORY_LINES_MAX 1000

typedef struct connect_history {
    char *path; /* NULL: nothing is kept */
    char *lines[CONNECT_HISTORY_LINES_MAX];
    size_t count;
} connect_history;

/** Reads the file, and writes it anew when it holds lines twice or too many; so does the end. A
 * file that cannot be read or written leaves the history of this command alone. */
void connect_history_load(connect_history *history);

/** Adds a line, at its end when it is there already, and to the file.  @return false: it is not
 *  kept, because it is empty, begins with a space or is the last one already */
bool connect_history_add(connect_history *history, const char *line);

void connect_history_deinit(connect_history *history);

#endif
