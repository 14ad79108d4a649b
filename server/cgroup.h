/* SPDX-License-Identifier: Apache-2.0
 *
 * How much memory the control groups this process is in leave it: of a container that is less than
 * the machine has, and the kernel ends who takes more.
 */
#ifndef WRING_SERVER_CGROUP_H
#define WRING_SERVER_CGROUP_H

#include <stdint.h>

/** The least limit of the group and all above it, version 2 (memory.max) and 1
 *  (memory.limit_in_bytes); UINT64_MAX when there is none to be read.
 *  @param groups  "/proc/self/cgroup"   @param mount  "/sys/fs/cgroup" */
uint64_t wring__cgroup_memory_max(const char *groups, const char *mount);

#endif
