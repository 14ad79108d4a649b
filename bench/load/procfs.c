/* SPDX-License-Identifier: Apache-2.0
 *
 * See procfs.h.
 */
#include "bench/load/procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static bool file_read(const char *path, char *text, size_t cap) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const size_t n = fread(text, 1, cap - 1, file);
    text[n] = 0;
    fclose(file);
    return n > 0;
}

static void path_of(int pid, const char *name, char *path, size_t cap) {
    if (pid == 0) {
        (void)snprintf(path, cap, "/proc/self/%s", name);
    } else {
        (void)snprintf(path, cap, "/proc/%d/%s", pid, name);
    }
}

/* The ticks of stat are 10 ms: they say how the exact time is divided. */
static void cpu_refine(int pid, load_cpu *cpu) {
    clockid_t clock;
    struct timespec spent;
    const double ticks = cpu->user_s + cpu->system_s;
    if (ticks > 0 && clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &spent) == 0) {
        const double exact = (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
        cpu->user_s *= exact / ticks;
        cpu->system_s *= exact / ticks;
    }
}

load_cpu load_proc_cpu(int pid) {
    char path[64];
    char text[1024];
    load_cpu cpu = {0, 0};
    path_of(pid, "stat", path, sizeof path);
    if (pid == 0 || !file_read(path, text, sizeof text)) {
        return cpu;
    }
    /* the name may hold spaces and parentheses: the fields begin behind the last one */
    const char *at = strrchr(text, ')');
    unsigned long long user;
    unsigned long long system;
    if (at != NULL && sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                             &system) == 2) {
        const double tick = (double)sysconf(_SC_CLK_TCK);
        cpu.user_s = (double)user / tick;
        cpu.system_s = (double)system / tick;
        cpu_refine(pid, &cpu);
    }
    return cpu;
}

uint64_t load_proc_rss(int pid) {
    char path[64];
    char text[256];
    unsigned long long pages = 0;
    path_of(pid, "statm", path, sizeof path);
    if (!file_read(path, text, sizeof text) || sscanf(text, "%*u %llu", &pages) != 1) {
        return 0;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t load_proc_slab(void) {
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kb = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Slab: %llu kB", &kb) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kb * 1024;
}
