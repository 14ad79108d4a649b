/* SPDX-License-Identifier: Apache-2.0
 *
 * conformance: every case over every link in every cut.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/report.h"
#include "tests/conformance/serve.h"

static const struct link_ops *const all_links[] = {
    &link_server_loopback, &link_server_sim,    &link_client_loopback,
    &link_client_sim,      &link_client_wss,    &link_server_h2_loopback,
    &link_server_h2_small, &link_server_h2_tls, &link_client_h2_loopback,
    &link_client_h2_small, &link_client_h2_tls, &link_client_proxied};

static const char usage[] =
    "usage: conformance [options]\n"
    "\n"
    "  --wring PATH        the command to serve and test; or\n"
    "  --target HOST:PORT  any server with an /echo route\n"
    "  --link NAME         only this one, of server-loopback, server-sim, client-loopback,\n"
    "                      client-sim, client-wss; and as streams of HTTP/2 server-h2-loopback,\n"
    "                      server-h2-small, server-h2-tls, client-h2-loopback, client-h2-small,\n"
    "                      client-h2-tls. Several are allowed\n"
    "  --port N            clients reach a proxy at --target by HTTP/2, and the proxy finds the\n"
    "                      tester here: the link client-proxied\n"
    "  --proxied           a proxy is in between, which may reset streams that have ended\n"
    "  --case PREFIX       only these, for example 6. or 7.1.4\n"
    "  --cut N             0 whole, 1 single bytes, 2 random cuts\n"
    "  --seed N            of the random cuts; default 1\n"
    "  --report FOLDER     index.html and index.json\n"
    "\n"
    "examples:\n"
    "  conformance --wring build/release/wring --report docs/conformance\n"
    "  conformance --target 127.0.0.1:9001 --link server-loopback --case 6.\n";

struct options {
    const char *wring, *target, *prefix, *report;
    const char *links[LINKS_MAX];
    size_t link_count;
    int cut;
    uint64_t seed;
};

static struct options options = {.prefix = "", .cut = -1, .seed = 1};

static void options_read(int argc, char **argv) {
    static const struct option list[] = {{"wring", required_argument, NULL, 'w'},
                                         {"target", required_argument, NULL, 't'},
                                         {"link", required_argument, NULL, 'l'},
                                         {"port", required_argument, NULL, 'o'},
                                         {"proxied", no_argument, NULL, 'p'},
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
            if (options.link_count < LINKS_MAX) {
                options.links[options.link_count++] = optarg;
            }
            break;
        case 'o':
            link_port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            link_is_proxied = true;
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

/* ---- running ---- */

static size_t failures, runs_total;

/* False: it is for no link that was chosen. */
static bool case_run(const struct results *r, size_t index) {
    const size_t before = runs_total;
    const struct test_case *c = &r->suite->cases[index];
    for (size_t l = 0; l < r->link_count; l++) {
        for (int cut = 0; cut < CUTS; cut++) {
            if ((options.cut >= 0 && cut != options.cut) ||
                (c->is_of_streams && !r->links[l]->is_stream)) {
                continue;
            }
            struct run *run = &r->runs[index][l][cut];
            run->ran = true;
            link_target = r->targets[l];
            run->verdict = tester_run(c, r->links[l], (enum cut)cut, options.seed + index);
            runs_total++;
            if (!run->verdict.pass) {
                failures++;
                printf("FAIL %-8s %s, %s: %s\n", c->id, r->links[l]->name, cut_names[cut],
                       run->verdict.behaviour);
            }
        }
    }
    return runs_total > before;
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
    suite_add_streams(&suite);
    return suite;
}

static bool is_wanted(const struct link_ops *link) {
    for (size_t i = 0; i < options.link_count; i++) {
        if (strcmp(options.links[i], link->name) == 0) {
            return true;
        }
    }
    return options.link_count == 0;
}

static bool is_possible(const struct link_ops *link) {
    return link == &link_client_proxied
               ? link_port != 0 && options.target != NULL
               : link->serve_options == NULL || options.wring != NULL || options.target != NULL;
}

static void links_choose(struct results *r) {
    for (size_t i = 0; i < sizeof all_links / sizeof *all_links; i++) {
        const struct link_ops *link = all_links[i];
        if (is_wanted(link) && is_possible(link)) {
            r->targets[r->link_count] = link->serve_options == NULL || options.wring == NULL
                                            ? options.target
                                            : serve_start(options.wring, link->serve_options());
            r->links[r->link_count++] = link;
        }
    }
    if (r->link_count == 0) {
        fprintf(stderr, "conformance: no such link, or no server to test: try --help\n");
        exit(2);
    }
}

static void links_finish(const struct results *r) {
    for (size_t l = 0; l < r->link_count; l++) {
        const char *wrong = r->links[l]->finish == NULL ? NULL : r->links[l]->finish(r->links[l]);
        if (wrong != NULL) {
            failures++;
            printf("FAIL %s, after the last case: %s\n", r->links[l]->name, wrong);
        }
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    options_read(argc, argv);
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
        cases += case_run(&r, i);
    }
    links_finish(&r);
    if (options.report != NULL && !report_write(&r, options.report)) {
        return 1;
    }
    printf("%zu cases, %zu runs, %zu failed\n", cases, runs_total, failures);
    free(r.runs);
    free(suite.cases);
    return failures == 0 && cases > 0 ? 0 : 1;
}
