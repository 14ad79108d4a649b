#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""permessage-deflate: a client of libwebsockets (lws_client.c) with `wring serve`. Takeover on and off
and windows of 9 to 15 bits in both directions; every message is compressed both ways."""
import json
import os
import subprocess
import sys
import urllib.request

from server import Server, run

CLIENT = os.environ.get("E2E_LWS_CLIENT")
MESSAGES = 33
# server takeover, client takeover, server bits, client bits
SETS = [(takeover & 1, takeover >> 1, server_bits, client_bits)
        for takeover in range(4)
        for server_bits, client_bits in ([(bits, 15) for bits in range(9, 16)] +
                                         [(15, bits) for bits in range(9, 15)] +
                                         [(9, 9), (12, 10)])]


def offer_of(wish):
    server_takeover, client_takeover, server_bits, client_bits = wish
    return ("permessage-deflate"
            + ("" if server_takeover else "; server_no_context_takeover")
            + ("" if client_takeover else "; client_no_context_takeover")
            + f"; server_max_window_bits={server_bits}; client_max_window_bits={client_bits}")


def meaning_of(answer):
    name, *parameters = [part.strip() for part in answer.split(";")]
    assert name == "permessage-deflate", answer
    values = dict((p.split("=") + ["yes"])[:2] for p in parameters)
    return ("server_no_context_takeover" not in values, "client_no_context_takeover" not in values,
            int(values.get("server_max_window_bits", 15)),
            int(values.get("client_max_window_bits", 15)))


def stats_of(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/stats") as answer:
        return json.load(answer)


def each_set_is_agreed_on_and_used():
    with Server("--deflate", "--deflate-server-takeover", "--deflate-client-takeover",
                "--deflate-server-bits", "15", "--deflate-client-bits", "15",
                "--deflate-min-bytes", "1", "--admin-port", "0") as server:
        for count, wish in enumerate(SETS, 1):
            done = subprocess.run([CLIENT, str(server.port), "/echo", offer_of(wish)],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (wish, done.stdout, done.stderr)
            assert meaning_of(done.stdout.strip()) == wish, (wish, done.stdout)
            stats = stats_of(server)
            for what in ("deflate_rx_messages", "deflate_tx_messages"):
                assert stats[what] == count * MESSAGES, (wish, what, stats[what])


def what_the_server_wishes_is_done():
    """The offer leaves all open: the server's windows and its wish for no takeover are obeyed."""
    for bits in (9, 11, 14):
        with Server("--deflate", "--deflate-server-bits", str(bits), "--deflate-client-bits",
                    str(bits), "--deflate-min-bytes", "1") as server:
            done = subprocess.run([CLIENT, str(server.port), "/echo",
                                   "permessage-deflate; server_max_window_bits=15; "
                                   "client_max_window_bits"],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (bits, done.stdout, done.stderr)
            assert meaning_of(done.stdout.strip()) == (False, False, bits, bits), done.stdout


if CLIENT is None or not os.path.exists(CLIENT):
    print("built without libwebsockets: skipped")
    sys.exit(77)
run([each_set_is_agreed_on_and_used, what_the_server_wishes_is_done])
