/* SPDX-License-Identifier: Apache-2.0
 *
 * conformance: every case over every link in every cut.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/report.h"

static const struct link_ops *const all_links[] = {&link_server_loopback, &link_server_sim,
                                                   &link_client_loopback, &link_client_sim,
                                                   &link_client_wss};

static const char usage[] =
    "usage: conformance [options]\n"
    "\n"
    "  --wring PATH        the command to serve and test; or\n"
    "  --target HOST:PORT  any server with an /echo route\n"
    "  --link NAME         one of server-loopback, server-sim, client-loopback, client-sim,\n"
    "                      client-wss\n"
    "  --case PREFIX       only these, for example 6. or 7.1.4\n"
    "  --cut N             0 whole, 1 single bytes, 2 random cuts\n"
    "  --seed N            of the random cuts; default 1\n"
    "  --report FOLDER     index.html and index.json\n"
    "\n"
    "examples:\n"
    "  conformance --wring build/release/wring --report docs/conformance\n"
    "  conformance --target 127.0.0.1:9001 --link server-loopback --case 6.\n";

struct options {
    const char *wring, *target, *link, *prefix, *report;
    int cut;
    uint64_t seed;
};

static struct options options = {.prefix = "", .cut = -1, .seed = 1};

static void options_read(int argc, char **argv) {
    static const struct option list[] = {{"wring", required_argument, NULL, 'w'},
                                         {"target", required_argument, NULL, 't'},
                                         {"link", required_argument, NULL, 'l'},
                                         {"case", required_argument, NULL, 'c'},
                                         {"cut", required_argument, NULL, 'u'},
                                         {"seed", required_argument, NULL, 's'},
                                         {"report", required_argument, NULL, 'r'},
                                         {"help", no_argument, NULL, 'h'},
                                         {0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", list, NULL)) != -1) {
        switch (option) {
        case 'w':
            options.wring = optarg;
            break;
        case 't':
            options.target = optarg;
            break;
        case 'l':
            options.link = optarg;
            break;
        case 'c':
            options.prefix = optarg;
            break;
        case 'u':
            options.cut = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            options.report = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
}

/* ---- the server under test ---- */

static pid_t serve_pid;

/* Starts `wring serve` on a port of the system's choice and reads it from its first line. */
static const char *serve_start(const char *wring) {
    static char target[80];
    int out[2];
    char line[256];
    if (pipe(out) != 0 || (serve_pid = fork()) < 0) {
        perror("conformance");
        exit(1);
    }
    if (serve_pid == 0) {
        dup2(out[1], 1);
        dup2(out[1], 2);
        close(out[0]);
        /* what an offer asks for decides */
        execl(wring, wring, "serve", "--port", "0", "--deflate", "--deflate-server-takeover",
              "--deflate-client-takeover", "--deflate-server-bits", "15", "--deflate-client-bits",
              "15", "--deflate-min-bytes", "1", (char *)NULL);
        perror(wring);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    while (fgets(line, sizeof line, f) != NULL) {
        const char *url = strstr(line, "http://");
        if (url != NULL && sscanf(url, "http://%79[^/]", target) == 1) {
            return target; /* the pipe stays open for the server's life */
        }
        fputs(line, stderr);
    }
    fprintf(stderr, "conformance: %s serve did not say where it listens\n", wring);
    exit(1);
}

static void serve_stop(void) {
    if (serve_pid > 0) {
        int status;
        kill(serve_pid, SIGTERM);
        waitpid(serve_pid, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fprintf(stderr, "conformance: the server ended with status %x\n", (unsigned)status);
            _exit(1);
        }
    }
}

/* ---- running ---- */

static size_t failures, runs_total;

static void case_run(const struct results *r, size_t index) {
    const struct test_case *c = &r->suite->cases[index];
    for (size_t l = 0; l < r->link_count; l++) {
        for (int cut = 0; cut < CUTS; cut++) {
            if (options.cut >= 0 && cut != options.cut) {
                continue;
            }
            struct run *run = &r->runs[index][l][cut];
            run->ran = true;
            run->verdict = tester_run(c, r->links[l], (enum cut)cut, options.seed + index);
            runs_total++;
            if (!run->verdict.pass) {
                failures++;
                printf("FAIL %-8s %s, %s: %s\n", c->id, r->links[l]->name, cut_names[cut],
                       run->verdict.behaviour);
            }
        }
    }
}

static struct suite suite_create(void) {
    struct suite suite = {0};
    suite_add_framing(&suite);
    suite_add_fragments(&suite);
    suite_add_utf8(&suite);
    suite_add_close(&suite);
    suite_add_limits(&suite);
    suite_add_strict(&suite);
    suite_add_deflate(&suite);
    return suite;
}

static void links_choose(struct results *r) {
    for (size_t i = 0; i < sizeof all_links / sizeof *all_links; i++) {
        const bool wanted = options.link == NULL || strcmp(options.link, all_links[i]->name) == 0;
        const bool possible = all_links[i] != &link_server_loopback || options.target != NULL;
        if (wanted && possible) {
            r->links[r->link_count++] = all_links[i];
        }
    }
    if (r->link_count == 0) {
        fprintf(stderr, "conformance: no such link, or no server to test: try --help\n");
        exit(2);
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    options_read(argc, argv);
    if (options.wring != NULL) {
        options.target = serve_start(options.wring);
        atexit(serve_stop);
    }
    link_target = options.target;
    struct suite suite = suite_create();
    struct results r = {.suite = &suite};
    links_choose(&r);
    r.runs = calloc(suite.count, sizeof *r.runs);
    size_t cases = 0;
    int family = 0;
    for (size_t i = 0; i < suite.count; i++) {
        if (strncmp(suite.cases[i].id, options.prefix, strlen(options.prefix)) != 0) {
            continue;
        }
        if ((int)strtol(suite.cases[i].id, NULL, 10) != family) {
            family = (int)strtol(suite.cases[i].id, NULL, 10);
            printf("family %d\n", family);
        }
        cases++;
        case_run(&r, i);
    }
    if (options.report != NULL && !report_write(&r, options.report)) {
        return 1;
    }
    printf("%zu cases, %zu runs, %zu failed\n", cases, runs_total, failures);
    free(r.runs);
    free(suite.cases);
    return failures == 0 && cases > 0 ? 0 : 1;
}
