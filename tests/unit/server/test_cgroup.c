/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cgroup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void put(const char *path, const char *text) {
    char whole[512];
    (void)snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = 0;
        (void)mkdir(whole, 0755);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    cr_assert_not_null(file, "%s", whole);
    fputs(text, file);
    fclose(file);
}

static uint64_t limit(void) {
    char groups[128];
    char mount[128];
    (void)snprintf(groups, sizeof groups, "%s/groups", root);
    (void)snprintf(mount, sizeof mount, "%s/fs", root);
    return wring__cgroup_memory_max(groups, mount);
}

static void begin(void) {
    (void)snprintf(root, sizeof root, "/tmp/wring-cgroup-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
}

static void end(void) {
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    cr_expect_eq(system(command), 0);
}

TestSuite(cgroup, .init = begin, .fini = end);

Test(cgroup, nothing_to_be_read_is_no_limit) {
    cr_expect_eq(limit(), UINT64_MAX);
    put("groups", "0::/a\n");
    cr_expect_eq(limit(), UINT64_MAX);
    put("groups", "nonsense\n\n::\n");
    cr_expect_eq(limit(), UINT64_MAX);
}

Test(cgroup, version_2_has_the_least_on_the_way_up) {
    put("groups", "0::/a/b\n");
    put("fs/a/b/memory.max", "max\n");
    cr_expect_eq(limit(), UINT64_MAX);
    put("fs/a/memory.max", "5000000\n");
    cr_expect_eq(limit(), 5000000u);
    put("fs/a/b/memory.max", "7000000\n");
    cr_expect_eq(limit(), 5000000u);
    put("fs/memory.max", "4000000\n");
    cr_expect_eq(limit(), 4000000u);
}

Test(cgroup, a_container_that_sees_only_its_own_group) {
    put("fs/memory.max", "1048576\n");
    put("groups", "0::/\n");
    cr_expect_eq(limit(), 1048576u);
    put("groups", "0::/system.slice/docker-1234.scope\n"); /* not below the mount */
    cr_expect_eq(limit(), 1048576u);
}

Test(cgroup, version_1_by_its_memory_controller) {
    put("groups", "12:cpu,cpuacct:/x\n4:hugetlb,memory:/a\n1:name=systemd:/a\n0::/\n");
    put("fs/memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    put("fs/memory/x/memory.limit_in_bytes", "10\n");
    cr_expect_eq(limit(), 9223372036854771712u);
    put("fs/memory/memory.limit_in_bytes", "300000000\n");
    cr_expect_eq(limit(), 300000000u);
    put("groups", "4:notmemory,memoryless:/a\n");
    cr_expect_eq(limit(), UINT64_MAX);
}
