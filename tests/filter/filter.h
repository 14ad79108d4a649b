/* SPDX-License-Identifier: Apache-2.0
 *
 * System calls that fail, as under a container's seccomp profile. The filters of the profiles in
 * Debian's packages are older and allow io_uring, so ours are written here.
 */
#ifndef WRING_TESTS_FILTER_H
#define WRING_TESTS_FILTER_H

#include <stdbool.h>

/** From here on the system call fails with `system_errno` in this process and its children. False:
 *  no filters here, so nobody is filtered. */
bool filter_forbid(long number, int system_errno);

/** The three of io_uring. */
bool filter_forbid_uring(int system_errno);

#endif
