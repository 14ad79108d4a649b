/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands in for libFuzzer: runs a target over files, or over every file of a folder. So the seeds,
 * and the inputs that once broke something, are a test of every build.
 *
 *     fuzz-TARGET FOLDER|FILE ...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    size_t len = 0;
    size_t cap = 4096;
    uint8_t *data = malloc(cap);
    FUZZ_CHECK(data != NULL);
    for (size_t n; (n = fread(data + len, 1, cap - len, file)) > 0;) {
        len += n;
        if (len == cap) {
            cap *= 2;
            data = realloc(data, cap);
            FUZZ_CHECK(data != NULL);
        }
    }
    FUZZ_CHECK(ferror(file) == 0);
    fclose(file);
    uint8_t *exact = fuzz_copy(wring_bytes_of(data, len)); /* so that ASan sees its end */
    free(data);
    fuzz_running = path;
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static unsigned run_folder(const char *folder) {
    struct dirent **names;
    int count = scandir(folder, &names, NULL, alphasort);
    FUZZ_CHECK(count >= 0);
    unsigned runs = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        int len = snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        FUZZ_CHECK(len > 0 && (size_t)len < sizeof path);
        if (names[i]->d_name[0] != '.') {
            run_file(path);
            runs++;
        }
        free(names[i]);
    }
    free(names);
    return runs;
}

int main(int argc, char **argv) {
    unsigned runs = 0;
    for (int i = 1; i < argc; i++) {
        struct stat about;
        FUZZ_CHECK(stat(argv[i], &about) == 0);
        if (S_ISDIR(about.st_mode)) {
            runs += run_folder(argv[i]);
        } else {
            run_file(argv[i]);
            runs++;
        }
    }
    printf("%u inputs: passed\n", runs);
    return runs > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
