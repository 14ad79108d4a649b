# SPDX-License-Identifier: Apache-2.0
"""What our client is to show of any server that has the paths of ws_server.mjs."""
from tools import client_echoes, client_events


def kinds(events):
    return [event["event"] for event in events]


def expect_fragments(url, *options):
    """A message in three pieces, a ping between them."""
    events = client_events(url + "/fragments", *options)
    assert kinds(events) == ["open", "ping", "text", "close", "end", "closed"], events
    assert events[1]["payload"] == "mid" and events[2]["payload"] == "one two three", events
    assert (events[4]["result"], events[4]["code"]) == ("OK", 4001), events


def expect_server_ping(url, *options):
    events = client_events(url + "/ping", *options)
    assert [e["payload"] for e in events[1:3]] == ["from the server", "pong from the server"]


def expect_own_ping(url, *options):
    events = client_events(url + "/echo", "--ping", "are you there", "--say", "bye", *options)
    assert events[1]["event"] == "pong" and events[1]["payload"] == "are you there", events
    assert events[2]["payload"] == "bye", events


def expect_close(url, *options):
    """The server begins the close; then it vanishes without one."""
    events = client_events(url + "/close", *options)
    assert kinds(events) == ["open", "close", "end", "closed"], events
    assert (events[1]["code"], events[1]["payload"]) == (4002, "enough"), events
    assert (events[2]["result"], events[2]["code"], events[2]["by_peer"]) == ("OK", 4002, True)
    events = client_events(url + "/terminate", *options)
    assert kinds(events) == ["open", "end", "closed"], events
    # over TLS some servers say close_notify even then, some do not; a stream of HTTP/2 may be reset
    assert events[1]["result"] in ("ERR_TRUNCATED", "ERR_TLS_TRUNCATED", "ERR_STREAM_RESET"), events
    assert events[1]["code"] == 1006, events


def expect_refusal(url, *options):
    """The whole answer is told: status, a header, the body."""
    event = client_events(url + "/refused", *options)[-1]
    assert (event["result"], event["answer"]) == ("ERR_UNEXPECTED_STATUS", 403), event
    assert event["body"] == "no entry" and event["x_test"] == "a peer" and event["whole"], event


def expect_everything(url, *options):
    client_echoes(url + "/echo", *options)
    expect_refusal(url, *options)
    for check in (expect_fragments, expect_server_ping, expect_own_ping, expect_close):
        check(url, *options)
