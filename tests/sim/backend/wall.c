/* SPDX-License-Identifier: Apache-2.0
 *
 * The wall clock of whoever links the simulated backend stands still (CMakeLists.txt wraps the
 * call). A server writes it into Date, which HTTP/2 compresses to a length that depends on the
 * digits: a seed would not replay what it did a second before.
 */
#include <time.h>

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out) {
    if (clock == CLOCK_REALTIME_COARSE) {
        *out = (struct timespec){.tv_sec = 784111777}; /* the example of RFC 9110 5.6.7 */
        return 0;
    }
    return __real_clock_gettime(clock, out);
}
