/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory limits of control groups. See cgroup.h. Before threads start; reads a handful of files.
 */
#include "server/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"

#define LINE_MAX_BYTES 4096

/* "max" and what cannot be read are no limit. */
static uint64_t limit_read(const char *folder, const char *name) {
    char path[LINE_MAX_BYTES + 64];
    char text[64] = "";
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return UINT64_MAX;
    }
    const bool got = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    char *end = text;
    const unsigned long long limit = got ? strtoull(text, &end, 10) : 0;
    return end == text ? UINT64_MAX : limit;
}

/* From the group up to the mount. A path that is not below the mount, as in a container that sees
 * only its own group but is told the whole path, leaves the mount itself. */
static uint64_t limit_above(const char *mount, const char *group, const char *name) {
    char folder[LINE_MAX_BYTES];
    const size_t least = strlen(mount);
    uint64_t limit = UINT64_MAX;
    const int len = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (len < 0 || (size_t)len >= sizeof folder) {
        return limit;
    }
    for (;;) {
        limit = wring__min_u64(limit, limit_read(folder, name));
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= least || slash == NULL) {
            return limit;
        }
        *slash = 0;
    }
}

/* Is "memory" one of the controllers "cpu,memory,..."? */
static bool has_memory(const char *controllers) {
    for (const char *at = controllers; *at != 0; at += at[0] == ',') {
        const size_t len = strcspn(at, ",");
        if (len == strlen("memory") && memcmp(at, "memory", len) == 0) {
            return true;
        }
        at += len;
    }
    return false;
}

/* A line is "number:controllers:path"; version 2 has number 0 and no controllers. */
static uint64_t limit_of_line(char *line, const char *mount) {
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL) {
        return UINT64_MAX;
    }
    *controllers++ = 0;
    *group++ = 0;
    group[strcspn(group, "\n")] = 0;
    if (*controllers == 0) {
        return limit_above(mount, group, "memory.max");
    }
    char folder[256];
    (void)snprintf(folder, sizeof folder, "%s/memory", mount);
    return has_memory(controllers) ? limit_above(folder, group, "memory.limit_in_bytes")
                                   : UINT64_MAX;
}

uint64_t wring__cgroup_memory_max(const char *groups, const char *mount) {
    uint64_t limit = UINT64_MAX;
    char line[LINE_MAX_BYTES];
    FILE *file = fopen(groups, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        limit = wring__min_u64(limit, limit_of_line(line, mount));
    }
    if (file != NULL) {
        fclose(file);
    }
    return limit;
}
