/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run of `wring bench` writes, and where: standard output, and the files of -o, --summary,
 * --hdr and --svg. The files are tried before the run, which may take hours.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bench.h"
#include "wring/wring.h"

/* ---- before the run -------------------------------------------------------------------------- */

/* Leaves the file system as it was. A pipe or a device is not opened, because a reader would see
 * that it was closed again. */
static bool file_check(const char *path) {
    struct stat status;
    bool ok;
    if (path == NULL) {
        return true;
    }
    if (stat(path, &status) != 0) {
        const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        ok = fd >= 0 && close(fd) == 0 && unlink(path) == 0;
    } else if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
        const int fd = open(path, O_WRONLY | O_CLOEXEC);
        ok = fd >= 0 && close(fd) == 0;
    } else {
        ok = access(path, W_OK) == 0;
    }
    if (!ok) {
        cli_complain("cannot write %s: %s", path, strerror(errno));
    }
    return ok;
}

static bool summary_is_printed(const bench_options *o) {
    return o->summary_file != NULL && strcmp(o->summary_file, "-") == 0;
}

bool bench_outputs_check(const bench_options *o) {
    return file_check(o->json_file) && file_check(o->hdr_file) && file_check(o->svg_file) &&
           (summary_is_printed(o) || file_check(o->summary_file));
}

/* ---- after the run --------------------------------------------------------------------------- */

bool bench_file_close(FILE *file, const char *path, bool ok) {
    if (file != NULL && fclose(file) != 0) {
        ok = false;
    }
    if (!ok) {
        cli_complain("cannot write %s: %s", path, strerror(errno));
    }
    return ok;
}

bool bench_file_write(const char *path,
                      bool (*write)(FILE *to, const bench_options *options,
                                    const load_result *result),
                      const bench_options *options, const load_result *result) {
    FILE *file = fopen(path, "we");
    return bench_file_close(file, path, file != NULL && write(file, options, result));
}

static bool hdr_print(FILE *to, const bench_options *options, const load_result *result) {
    (void)options;
    load_histogram_write_hgrm(result->latency, to);
    return ferror(to) == 0;
}

static bool summary_write(const bench_options *o, const load_result *result) {
    if (summary_is_printed(o)) {
        return fputc('\n', stdout) != EOF && bench_summary_print(stdout, o, result);
    }
    FILE *file = fopen(o->summary_file, "ae");
    return bench_file_close(file, o->summary_file,
                            file != NULL && bench_summary_print(file, o, result));
}

bool bench_results_write(const bench_options *o, const load_result *result) {
    bool ok = true;
    if (o->json != 0) {
        ok = bench_json_print(stdout, o, result);
    } else {
        bench_report_print(stdout, o, result);
    }
    if (o->json_file != NULL) {
        ok = bench_file_write(o->json_file, bench_json_print, o, result) && ok;
    }
    if (o->hdr_file != NULL) {
        ok = bench_file_write(o->hdr_file, hdr_print, o, result) && ok;
    }
    if (o->summary_file != NULL) {
        ok = summary_write(o, result) && ok;
    }
    if (o->svg_file != NULL) {
        ok = bench_svg_write(o->svg_file, o, result) && ok;
    }
    return ok;
}

/* ---- a run that came to no result ------------------------------------------------------------ */

static bool error_json_print(FILE *to, const bench_options *o, const char *why) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "wring_bench", 1);
    cJSON_AddStringToObject(root, "version", WRING_VERSION);
    cJSON_AddStringToObject(root, "mode", bench_mode_name(o->load.mode));
    cJSON_AddStringToObject(root, "url", o->load.url_shown);
    cJSON_AddStringToObject(root, "error", why);
    cJSON_AddBoolToObject(root, "interrupted", bench_interrupted());
    char *text = cJSON_Print(root);
    const bool ok = text != NULL && fprintf(to, "%s\n", text) > 0;
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

static bool error_summary_print(FILE *to, const bench_options *o, const char *why) {
    return fprintf(to, "### wring bench %s: %s\n\n`%s`\n\n- %s\n\n", bench_mode_name(o->load.mode),
                   bench_interrupted() ? "interrupted" : "FAILED", o->load.url_shown, why) > 0;
}

bool bench_error_write(const bench_options *o, const char *why) {
    bool ok = o->json == 0 || error_json_print(stdout, o, why);
    if (o->json_file != NULL) {
        FILE *file = fopen(o->json_file, "we");
        ok = bench_file_close(file, o->json_file, file != NULL && error_json_print(file, o, why)) &&
             ok;
    }
    if (summary_is_printed(o)) {
        ok = error_summary_print(stdout, o, why) && ok;
    } else if (o->summary_file != NULL) {
        FILE *file = fopen(o->summary_file, "ae");
        ok = bench_file_close(file, o->summary_file,
                              file != NULL && error_summary_print(file, o, why)) &&
             ok;
    }
    return ok;
}
