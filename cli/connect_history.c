/* SPDX-License-Identifier: Apache-2.0
 *
 * See connect_history.h.
 */
#include "cli/connect_history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the list -------------------------------------------------------------------------------- */

static void line_remove(connect_history *history, size_t index) {
    free(history->lines[index]);
    history->count--;
    memmove(history->lines + index, history->lines + index + 1,
            (history->count - index) * sizeof history->lines[0]);
}

/* An older equal line goes, so that no line is there twice. */
static bool list_add(connect_history *history, const char *line) {
    char *copy = strdup(line);
    if (copy == NULL) {
        return false;
    }
    for (size_t i = 0; i < history->count; i++) {
        if (strcmp(history->lines[i], line) == 0) {
            line_remove(history, i);
            break;
        }
    }
    if (history->count == CONNECT_HISTORY_LINES_MAX) {
        line_remove(history, 0);
    }
    history->lines[history->count++] = copy;
    return true;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* "HOME" and ".local/state" are made as well, for whoever has none yet; only by the user. */
static bool folders_make(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        const bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) {
            return false;
        }
    }
    return true;
}

/* A relative XDG_STATE_HOME is to be ignored (XDG Base Directory Specification). */
static char *path_find(void) {
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int written = -1;
    if (state != NULL && *state == '/') {
        written = asprintf(&path, "%s/wring/history", state);
    } else if (home != NULL && *home == '/') {
        written = asprintf(&path, "%s/.local/state/wring/history", home);
    }
    return written < 0 ? NULL : path;
}

/* Beside the file and then in its place: it is never there in part. */
static void file_rewrite(const connect_history *history) {
    char *path = NULL;
    if (asprintf(&path, "%s.%ld", history->path, (long)getpid()) < 0) {
        return;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file != NULL) {
        for (size_t i = 0; i < history->count; i++) {
            fprintf(file, "%s\n", history->lines[i]);
        }
        const bool written = !ferror(file);
        if (fclose(file) != 0 || !written || rename(path, history->path) != 0) {
            (void)unlink(path);
        }
    }
    free(path);
}

static void file_read(connect_history *history, FILE *file) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool twice = false; /* a line, or more lines than are kept */
    while ((len = getline(&line, &cap, file)) > 0) {
        if (line[len - 1] == '\n') {
            line[--len] = 0;
        }
        const size_t before = history->count;
        if (len > 0 && strlen(line) == (size_t)len && list_add(history, line)) {
            twice = twice || history->count == before;
        }
    }
    free(line);
    if (twice) {
        file_rewrite(history);
    }
}

static void list_clear(connect_history *history) {
    for (size_t i = 0; i < history->count; i++) {
        free(history->lines[i]);
    }
    history->count = 0;
}

static void file_load(connect_history *history) {
    FILE *file = history->path == NULL ? NULL : fopen(history->path, "re");
    if (file != NULL) {
        file_read(history, file);
        fclose(file);
    }
}

void connect_history_load(connect_history *history) {
    *history = (connect_history){.path = path_find()};
    if (history->path != NULL && !folders_make(history->path)) {
        free(history->path);
        history->path = NULL;
    }
    file_load(history);
}

/* One write to the end, so that commands that run at once keep each other's lines. */
static void file_append(const connect_history *history, const char *line) {
    char *text = NULL;
    const int len = asprintf(&text, "%s\n", line);
    const int fd = open(history->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && len > 0) {
        const ssize_t ignored = write(fd, text, (size_t)len);
        (void)ignored; /* the history is a convenience */
    }
    if (fd >= 0) {
        close(fd);
    }
    free(len < 0 ? NULL : text);
}

bool connect_history_add(connect_history *history, const char *line) {
    const bool is_last =
        history->count > 0 && strcmp(history->lines[history->count - 1], line) == 0;
    if (*line == 0 || *line == ' ' || is_last || !list_add(history, line)) {
        return false;
    }
    if (history->path != NULL) {
        file_append(history, line);
    }
    return true;
}

/* Other commands may have added lines meanwhile: theirs are kept, and the file holds none twice. */
void connect_history_deinit(connect_history *history) {
    list_clear(history);
    file_load(history);
    list_clear(history);
    free(history->path);
    *history = (connect_history){0};
}
