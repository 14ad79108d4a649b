/* SPDX-License-Identifier: Apache-2.0
 *
 * The scenarios whose clients have a connection each.
 */
#include "tests/sim/sim_test.h"

const sim_scenario sim_scenarios[] = {
    {"echo", sim_echo, NULL},
    {"chat", sim_chat, NULL},
    {"pubsub", sim_pubsub, NULL},
    {"pubsub-slow", sim_pubsub_slow, NULL},
    {"slow", sim_slow, NULL},
    {"sends", sim_sends, NULL},
    {"drain", sim_drain, NULL},
    {"silent", sim_silent, NULL},
    {"client-pause", sim_client_pause, sim_client_pause_sum},
    {"suspend", sim_suspend, NULL},
    {"client", sim_the_client, NULL},
    {"tls", sim_the_client_with_tls, NULL},
    {"client-http2", sim_the_client_http2, sim_the_client_http2_sum},
    {"client-http2-tls", sim_the_client_http2_tls, sim_the_client_http2_sum},
    {"client-trunks", sim_client_trunks, NULL},
    {"reconnect", sim_reconnect, sim_reconnect_sum},
    {"eyeballs", sim_eyeballs, NULL},
    {"budget", sim_budget, NULL},
    {"c14-bombs", sim_bombs, NULL},
    {"long", sim_long, sim_long_sum},
    {"settings", sim_settings, NULL},
    {"http", sim_http, sim_http_sum},
    {"http-cases", sim_http_cases, NULL},
    {NULL, NULL, NULL},
};
