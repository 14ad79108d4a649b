/* SPDX-License-Identifier: Apache-2.0
 *
 * What `wring bench` sends: --size, --message or --message-file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/text.h"
#include "cli/bench.h"
#include "cli/units.h"

/* Of a file: it is held several times over, and a device or a pipe may go on for ever. Longer
 * messages are made by --size. */
#define FILE_BYTES_MAX (64u << 20)
#define FILE_MAX_TEXT  "64 MiB"

/* Room for `cap` bytes; at most one more than a file may have, by which a longer one is known. */
static bool file_grow(bench_options *o, size_t *cap) {
    *cap = *cap * 2 + 65536;
    *cap = *cap > FILE_BYTES_MAX + 1 ? FILE_BYTES_MAX + 1 : *cap;
    char *grown = realloc(o->message_bytes, *cap);
    o->message_bytes = grown == NULL ? o->message_bytes : grown;
    return grown != NULL;
}

static bool file_read(bench_options *o, FILE *file, size_t *len) {
    size_t cap = 0;
    while (feof(file) == 0 && *len <= FILE_BYTES_MAX) {
        if (*len == cap && !file_grow(o, &cap)) {
            return false;
        }
        *len += fread(o->message_bytes + *len, 1, cap - *len, file);
        if (ferror(file) != 0) {
            return false;
        }
    }
    return true;
}

static bool file_take(bench_options *o) {
    FILE *file = fopen(o->message_file, "re");
    size_t len = 0;
    const bool ok = file != NULL && file_read(o, file, &len);
    if (!ok) {
        cli_complain("--message-file %s: %s", o->message_file, strerror(errno));
    }
    if (file != NULL) {
        fclose(file);
    }
    if (len > FILE_BYTES_MAX) {
        cli_complain("--message-file %s: it has more than " FILE_MAX_TEXT ", the most that one "
                     "message of a file may have; --size makes longer ones",
                     o->message_file);
        return false;
    }
    o->load.message = wring_bytes_of(o->message_bytes, len);
    return ok;
}

/* A server would close every connection with 1007. RFC 6455 5.6 */
static bool text_check(const bench_options *o) {
    size_t bad_at = 0;
    if (!o->load.has_message || load_text_is_utf8(o->load.message, &bad_at)) {
        return true;
    }
    cli_complain("--message%s%s is no text, at byte %zu it is not UTF-8: send it with --binary",
                 o->message_file == NULL ? "" : "-file ",
                 o->message_file == NULL ? "" : o->message_file, bad_at);
    return false;
}

bool bench_message_take(bench_options *o) {
    load_config *load = &o->load;
    if ((o->size != NULL) + (o->message != NULL) + (o->message_file != NULL) > 1) {
        cli_complain("--size, --message and --message-file: one of them");
        return false;
    }
    if (o->text != 0 && o->binary != 0) {
        cli_complain("--text and --binary: one of them");
        return false;
    }
    load->binary = o->binary != 0;
    load->any_answer = o->any_answer != 0;
    load->verify = o->verify != 0;
    load->has_message = o->message != NULL || o->message_file != NULL;
    if (o->message != NULL) {
        load->message = wring_str(o->message);
    }
    if (o->message_file != NULL && !file_take(o)) {
        return false;
    }
    if (!load->binary && !text_check(o)) {
        return false;
    }
    if (o->size != NULL && !load_sizes_parse(o->size, &load->sizes)) {
        cli_complain("--size '%s' is not like 125, 64-1k, 64:90,16k:10, exp:512 or normal:1k:200",
                     o->size);
        return false;
    }
    return true;
}
