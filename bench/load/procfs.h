/* SPDX-License-Identifier: Apache-2.0
 *
 * What /proc says of a process and of the kernel's memory. 0 for what cannot be read.
 */
#ifndef WRING_LOAD_PROCFS_H
#define WRING_LOAD_PROCFS_H

#include "bench/load/load.h"

/** CPU time of a process with all its threads; of none for pid 0. */
load_cpu load_proc_cpu(int pid);

/** Resident bytes of a process; pid 0: this one. */
uint64_t load_proc_rss(int pid);

/** Bytes of the whole machine's slab caches, where the kernel keeps sockets: what they grew by
 *  while many connections were opened is theirs, on a machine that does little else. */
uint64_t load_proc_slab(void);

#endif
