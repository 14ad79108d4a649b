/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the C++ layer have in common: CHECK, which ends the program, and TEST, which
 * makes a test that run_all() runs. `program NAME` runs one of them.
 */
#ifndef WRING_TESTS_CPP_CHECK_HPP
#define WRING_TESTS_CPP_CHECK_HPP

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#define CHECK(x)                                                                                   \
    ((x) ? (void)0                                                                                 \
         : (std::fprintf(stderr, "FAILED %s:%d %s\n", __FILE__, __LINE__, #x), std::abort()))

/** What must not be reached. */
#define NEVER() (std::fprintf(stderr, "REACHED %s:%d\n", __FILE__, __LINE__), std::abort())

namespace check {

struct test {
    const char *name;
    void (*run)();
};
inline std::vector<test> &tests() {
    static std::vector<test> all;
    return all;
}
struct entry {
    entry(const char *name, void (*run)()) { tests().push_back({name, run}); }
};

inline int run_all(int argc, char **argv) {
    int ran = 0;
    for (const test &one : tests()) {
        if (argc < 2 || std::strcmp(argv[1], one.name) == 0) {
            std::printf("%s\n", one.name);
            std::fflush(stdout);
            one.run();
            ran++;
        }
    }
    return ran > 0 ? 0 : 1;
}

/** Waits until it is so, for a minute at most. */
template <class Condition> bool eventually(Condition is_so) {
    for (int i = 0; i < 12000; i++) {
        if (is_so()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

} // namespace check

#define TEST(name)                                                                                 \
    static void name();                                                                            \
    static const check::entry name##_entry(#name, name);                                           \
    static void name()

#endif
