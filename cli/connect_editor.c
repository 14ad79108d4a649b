/* SPDX-License-Identifier: Apache-2.0
 *
 * `wring connect` at a terminal: the output thread edits a line with libedit, and between two keys
 * writes what waits: the line is taken from the screen, the records are written, and the line is
 * drawn again below them. Whole lines go through a pipe to the main thread, which reads them like
 * any other input. Without libedit the terminal's own line editing does.
 */
#include "cli/connect_output.h"

#ifdef WRING_HAS_LIBEDIT

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "cli/connect_history.h"

#define PROMPT_COLUMNS 2

/* Stands in the line, where it can be seen and deleted, for bytes that are no character. */
#define NO_CHARACTER      L'\uFFFD'
#define NO_CHARACTER_UTF8 "\xEF\xBF\xBD"

struct editor {
    connect_output *output;
    EditLine *line;
    History *recall; /* libedit's copy of the history */
    connect_history history;
    FILE *screen;
    bool over;      /* nothing more will be shown */
    bool holds_bad; /* bytes of the line that is edited were no character */
    bool has_byte;  /* `byte` was read too early */
    char byte;
};

bool connect_editor_can_run(void) {
    const char *terminal = getenv("TERM");
    return terminal != NULL && *terminal != 0 && strcmp(terminal, "dumb") != 0;
}

/* ---- the line on the screen ------------------------------------------------------------------ */

static char *prompt_plain(EditLine *line) {
    (void)line;
    static char text[] = "> ";
    return text;
}

/* What stands between two \1 takes no room. */
static char *prompt_coloured(EditLine *line) {
    (void)line;
    static char text[] = "\1\033[36m\1>\1\033[0m\1 ";
    return text;
}

static size_t columns(void) {
    struct winsize size;
    return ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* As libedit shows it: control characters as ^X, what cannot be printed as \U+xxxxx. */
static size_t width_of(wchar_t c, size_t column) {
    const int width = wcwidth(c);
    if (c == L'\t') {
        return 8 - column % 8;
    }
    return width >= 0 ? (size_t)width : c < 0x80 ? 2 : c > 0xFFFF ? 8 : 7;
}

/* The row of the cursor, counted from that of the prompt. */
static size_t cursor_row(EditLine *line) {
    const LineInfoW *info = el_wline(line);
    const size_t most = columns();
    size_t row = 0;
    size_t column = PROMPT_COLUMNS;
    for (const wchar_t *c = info->buffer; c < info->cursor; c++) {
        const size_t width = width_of(*c, column);
        if (column + width > most) { /* a wide character does not stand across the edge */
            row++;
            column = 0;
        }
        column += width;
        row += column / most;
        column %= most;
    }
    return row;
}

static void line_hide(struct editor *editor) {
    const size_t row = cursor_row(editor->line);
    if (row > 0) {
        fprintf(editor->screen, "\033[%zuA", row);
    }
    fputs("\r\033[J", editor->screen);
    fflush(editor->screen);
}

static bool has_news(connect_output *output) {
    pthread_mutex_lock(&output->lock);
    const bool news = output->first != NULL || output->ending;
    pthread_mutex_unlock(&output->lock);
    return news;
}

/* False: all is written and nothing more will come. */
static bool news_show(struct editor *editor) {
    const bool resized = atomic_exchange(&editor->output->resized, false);
    if (!resized && !has_news(editor->output)) {
        return true;
    }
    line_hide(editor);
    if (resized) {
        el_resize(editor->line);
    }
    if (!connect_output_write_some(editor->output)) {
        return false;
    }
    (void)el_set(editor->line, EL_REFRESH);
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The next byte: one that ended a character too early comes again.  False: the terminal is gone. */
static bool byte_read(struct editor *editor, char *byte) {
    if (editor->has_byte) {
        editor->has_byte = false;
        *byte = editor->byte;
        return true;
    }
    ssize_t n;
    do {
        n = read(STDIN_FILENO, byte, 1);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    return n == 1;
}

/* One character of the locale's encoding; NO_CHARACTER for bytes that are none.  1: *out; 0: the
 * terminal is gone. */
static int character_read(struct editor *editor, wchar_t *out) {
    mbstate_t state = {0};
    char byte;
    bool begun = false;
    while (byte_read(editor, &byte)) {
        const size_t used = mbrtowc(out, &byte, 1, &state);
        if (used == (size_t)-1) {
            *out = NO_CHARACTER;
            editor->has_byte = begun; /* it may begin the next character */
            editor->byte = byte;
            editor->holds_bad = true;
            return 1;
        }
        if (used != (size_t)-2) {
            *out = used == 0 ? 0 : *out;
            return 1;
        }
        begun = true;
    }
    return 0;
}

/* libedit waits here for the next key. */
static int key_read(EditLine *line, wchar_t *out) {
    struct editor *editor = NULL;
    (void)el_get(line, EL_CLIENTDATA, &editor);
    for (;;) {
        if (!news_show(editor)) {
            editor->over = true;
            return 0;
        }
        if (editor->has_byte) {
            return character_read(editor, out);
        }
        struct pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {editor->output->ready, POLLIN, 0}};
        (void)poll(polled, 2, -1);
        if (polled[1].revents != 0) {
            eventfd_t ignored;
            (void)eventfd_read(editor->output->ready, &ignored);
        } else if (polled[0].revents != 0) {
            return character_read(editor, out);
        }
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* False when nobody reads them any more. */
static bool line_give(const connect_output *output, const char *text, size_t len) {
    while (len > 0) {
        const ssize_t n = write(output->lines, text, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        text += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    return true;
}

static void recall_fill(struct editor *editor) {
    HistEvent event;
    (void)history(editor->recall, &event, H_CLEAR);
    for (size_t i = 0; i < editor->history.count; i++) {
        (void)history(editor->recall, &event, H_ENTER, editor->history.lines[i]);
    }
}

static void line_remember(struct editor *editor, const char *text, size_t len) {
    char *line = strndup(text, len - (len > 0 && text[len - 1] == '\n'));
    if (line != NULL && connect_history_add(&editor->history, line)) {
        recall_fill(editor); /* an older equal line has gone */
    }
    free(line);
}

/* A line with bytes that were no character is given with one that is none: so it is refused where
 * every line is, with its number. False when nobody reads lines any more. */
static bool line_take(struct editor *editor, const char *text, size_t len) {
    const bool bad = editor->holds_bad && memmem(text, len, NO_CHARACTER_UTF8, 3) != NULL;
    editor->holds_bad = false;
    if (bad) {
        return line_give(editor->output, "\xff\n", 2);
    }
    line_remember(editor, text, len);
    return line_give(editor->output, text, len);
}

/* Until Ctrl-D on an empty line, or the end. */
static void lines_read(struct editor *editor) {
    for (;;) {
        int len = 0;
        const char *text = el_gets(editor->line, &len);
        if (text == NULL || len <= 0 || editor->over) {
            return;
        }
        if (!line_take(editor, text, (size_t)len)) {
            return;
        }
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static bool editor_init(struct editor *editor) {
    HistEvent event;
    editor->screen = fdopen(dup(STDERR_FILENO), "w");
    if (editor->screen == NULL) {
        return false;
    }
    editor->line = el_init("wring", stdin, editor->screen, editor->screen);
    editor->recall = history_init();
    if (editor->line == NULL || editor->recall == NULL) {
        return false;
    }
    connect_history_load(&editor->history);
    (void)history(editor->recall, &event, H_SETSIZE, CONNECT_HISTORY_LINES_MAX);
    recall_fill(editor);
    EditLine *line = editor->line;
    (void)el_set(line, EL_CLIENTDATA, editor);
    (void)el_set(line, EL_EDITOR, "emacs");
    (void)el_set(line, EL_SIGNAL, 0); /* the main thread takes them */
    (void)el_set(line, EL_HIST, history, editor->recall);
    (void)el_set(line, EL_PROMPT_ESC, editor->output->colours ? prompt_coloured : prompt_plain,
                 '\1');
    (void)el_set(line, EL_BIND, "^R", "em-inc-search-prev", NULL);
    (void)el_set(line, EL_BIND, "^I", "ed-insert", NULL); /* nothing completes; pastes hold tabs */
    (void)el_source(line, NULL);                          /* ~/.editrc */
    (void)el_set(line, EL_GETCFN, key_read);
    /* Between two lines as well, the terminal neither echoes nor takes keys for itself: what is
     * typed ahead or pasted is for the next line. */
    (void)el_set(line, EL_SETTY, "-x", "-icanon", "-echo", "-iexten", NULL);
    return true;
}

static void editor_deinit(struct editor *editor) {
    if (editor->line != NULL) {
        el_end(editor->line);
    }
    if (editor->recall != NULL) {
        history_end(editor->recall);
    }
    if (editor->screen != NULL) {
        fclose(editor->screen);
    }
    connect_history_deinit(&editor->history);
}

void connect_editor_run(connect_output *output) {
    struct editor editor = {.output = output};
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1) {
        (void)setlocale(LC_CTYPE, "C.UTF-8"); /* messages are UTF-8 wherever we are */
    }
    if (editor_init(&editor)) {
        lines_read(&editor);
        if (!editor.over) {
            line_hide(&editor);
        }
    }
    close(output->lines); /* the end of the input */
    editor_deinit(&editor);
    while (!editor.over && connect_output_write_some(output)) {
        eventfd_t ignored;
        (void)eventfd_read(output->ready, &ignored);
    }
    connect_output_restore(output);
}

#else

bool connect_editor_can_run(void) {
    return false;
}

void connect_editor_run(connect_output *output) {
    (void)output; /* is never started */
}

#endif
