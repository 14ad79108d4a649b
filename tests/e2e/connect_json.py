#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring connect --json` and `--json-input`: events as objects, objects as messages, with jq."""
import asyncio
import base64
import concurrent.futures
import contextlib
import json
import re
import shutil
import struct
import threading

import websockets

from connect_tools import close_frame, converse, read_client_frame, sends, shell
from server import Server, run
from tools import PATIENCE, Listener, node_server, read_head, response

URL = "ws://127.0.0.1:{}/"


def events(out):
    """The objects without their time, which each must have."""
    objects = [json.loads(line) for line in out.splitlines()]
    for item in objects:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item.pop("time")), item
    return objects


def each_event_is_an_object():
    text = 'é"\\\n\t\0\x1b\x7f\u009b'.encode()
    frames = (b"\x81" + bytes([len(text)]) + text + b"\x82\x03\x00\xff\x01" + b"\x89\x02hi"
              + b"\x8a\x00" + b"\x81\x00" + b"\x82\x00" + close_frame(1012, "sp\0äter".encode()))
    with Listener(sends(frames)) as server:
        code, out, err = converse("--json", URL.format(server.port))
        assert code == 3 and "closed with 1012" in err, (code, err)
        assert b"\x1b" not in out and b"\x7f" not in out and b"\xc2\x9b" not in out, out
        assert events(out) == [
            {"event": "open", "host": f"127.0.0.1:{server.port}", "target": "/"},
            {"event": "message", "type": "text", "data": text.decode()},
            {"event": "message", "type": "binary", "data": base64.b64encode(b"\0\xff\1").decode()},
            {"event": "ping", "data": base64.b64encode(b"hi").decode()},
            {"event": "pong", "data": ""},
            {"event": "message", "type": "text", "data": ""},
            {"event": "message", "type": "binary", "data": ""},
            {"event": "close", "code": 1012, "name": "service_restart", "reason": "sp\0äter",
             "by": "server"},
            {"event": "error", "text": "the server closed with 1012 (service_restart) sp"}], out


def failures_are_events_too():
    with Listener(lambda sock: sock.sendall(
            response(read_head(sock), status=b"403 Forbidden"))) as server:
        code, out, err = converse("--json", URL.format(server.port))
        assert code == 6 and "403" in err, (code, err)
        (only,) = events(out)
        assert only["event"] == "error" and "403 Forbidden" in only["text"], out
    with Listener(lambda sock: sock.sendall(
            response(read_head(sock), status=b"403 No\x9b"))) as server:
        (only,) = events(converse("--json", URL.format(server.port))[1])
        assert only["event"] == "error" and "403 No\\x9b" in only["text"], only
    with Listener(sends(close_frame(1001), end=True)) as server:
        code, out, _ = shell(
            f"$WRING connect --json --reconnect 10 {URL.format(server.port)} < /dev/null 2>&-"
            " | grep -m1 reconnect")
        (only,) = events(out)
        assert "1001 (going_away)" in only["text"] and only["delay_ms"] < 100, out


def objects_become_frames():
    got = []

    def serve(sock):
        sock.sendall(response(read_head(sock)))
        while (frame := read_client_frame(sock)) is not None:
            got.append(frame)
            if frame[0] == 8:
                sock.sendall(b"\x88" + bytes([len(frame[1])]) + frame[1])
    say = [{"data": "plain"}, {"type": "text", "data": "é\u0001\""},
           {"event": "message", "type": "binary", "data": "AP8B"}, {"type": "binary", "data": "AA=="},
           {"event": "ping", "data": "aGk="}, {"event": "pong"}, {"event": "open"},
           {"event": "error", "text": "x"}, {"event": "close", "code": 4001, "reason": "enough"},
           {"data": "never"}]
    with Listener(serve) as server:
        code, out, err = converse("--json-input", URL.format(server.port),
                                  say="\n".join(map(json.dumps, say)).encode() + b"\n\n")
        assert (code, out, err) == (0, b"", ""), (code, out, err)
    assert got == [(1, b"plain"), (1, "é\1\"".encode()), (2, b"\0\xff\1"), (2, b"\0"), (9, b"hi"),
                   (10, b""), (8, struct.pack("!H", 4001) + b"enough")], got


def answers_with(frames):
    """Answers the client's close with these."""
    def serve(sock):
        sock.sendall(response(read_head(sock)))
        while (frame := read_client_frame(sock)) is not None and frame[0] != 8:
            pass
        sock.sendall(frames)
    return serve


def closes_that_were_asked_for():
    """Code and reason are ours; what the server answers decides whether that went through."""
    for asked, frames, code, answer in [
            (4002, close_frame(4002, b"echo"), 0, None), (1012, close_frame(1012), 0, None),
            (4002, close_frame(1000, b"bye"), 0, 1000), (4002, b"\x88\x00", 0, 1005),
            (1012, close_frame(1002, b"what?"), 3, 1002), (1000, close_frame(1011), 3, 1011),
            (4002, close_frame(4003), 3, 4003)]:
        say = json.dumps({"event": "close", "code": asked, "reason": "enough"}).encode()
        with Listener(answers_with(frames)) as server:
            got = converse("--json", "--json-input", URL.format(server.port), say=say)
        assert got[0] == code, (asked, frames, got)
        told = events(got[1])
        close = told[1]
        assert (close["event"], close["code"], close["reason"], close["by"], close.get("answer")) \
            == ("close", asked, "enough", "client", answer), told
        if code == 0:
            assert got[2] == "" and len(told) == 2, got
        else:
            text = f"the server answered our close with {answer} "
            assert got[2].startswith("wring: " + text), got
            assert told[2]["event"] == "error" and told[2]["text"].startswith(text), told
    with Server() as server:  # one that takes only the codes of the RFC
        code, out, err = converse("--json-input", server.url(), say=b'{"event":"close","code":1012}')
        assert code == 3 and "answered our close with 1002 (protocol_error)" in err, (code, out, err)


def an_error_event_is_last_whenever_the_exit_code_is_not_0():
    for serve, options, say, code, text in [
            (sends(close_frame(4001, b"no")), (), b"", 3, "closed with 4001"),
            (sends(b""), ("--one", "--linger", "50"), b"", 4, "no message came within 50 ms"),
            (answers_with(close_frame(1000)), (), b"\xff\n", 1, "line 1 of the input was not sent"),
            (sends(b"", end=True), (), b"", 3, "without a close handshake")]:
        with Listener(serve) as server:
            got = converse("--json", *options, URL.format(server.port), say=say)
            last = events(got[1])[-1]
            assert got[0] == code and last["event"] == "error" and text in last["text"], got
            assert got[2].count("\n") == 1 and text in got[2], got


def wrong_objects_are_refused():
    with Server() as server:
        for line, why in [("hello", "not one JSON object"), ('{"data":"a"} {"data":"b"}', "not one"),
                          ("[1]", "not one"), ('{"data":1}', '"data" is not a string'),
                          ("{}", '"data" is not a string'),
                          ('{"type":"blob","data":""}', '"type" is not'),
                          ('{"event":"shout","data":""}', '"event" is not'),
                          ('{"type":"binary","data":"A"}', "not base64"),
                          ('{"type":"binary","data":"A==="}', "not base64"),
                          ('{"type":"binary","data":"AA=A"}', "not base64"),
                          ('{"type":"binary","data":"AA==AA=="}', "not base64"),
                          ('{"event":"close","code":1005.5}', '"code" is not'),
                          ('{"event":"close","code":999}', '"code" is not'),
                          ('{"event":"close","code":1005}', '"code" is not'),
                          ('{"event":"close","code":1006}', '"code" is not'),
                          ('{"event":"close","code":"x"}', '"code" is not'),
                          (json.dumps({"event": "close", "reason": "x" * 124}), '"reason" is longer'),
                          (json.dumps({"event": "ping", "data": "A" * 168}), "at most 125"),
                          ('{"data":"a\\u0000b"}', "NUL"), ('{"data":"\\ud800"}', "not one"),
                          ('{"data":"\udcff"}', "not UTF-8")]:
            say = b'{"data":"first"}\n' + line.encode(errors="surrogateescape") + b"\n"
            code, out, err = converse("--json-input", server.url(), say=say)
            assert (code, out) == (1, b"first\n"), (line, code, out, err)
            assert err.startswith("wring: line 2 of the input was not sent: ") and why in err, err
        assert converse("--json-input", server.url(), say=b'{"data":"a\\\\u0000b"}\n')[1] == \
            b"a\\u0000b\n"


def what_one_command_prints_another_reads():
    text = json.dumps({"data": "grüße"}) + "\n" + json.dumps({"type": "binary", "data": "AP8="}) + "\n"
    with Server() as server, node_server() as port:
        first = f"$WRING connect --json --json-input {server.url()}"
        second = f"$WRING connect --json --json-input ws://127.0.0.1:{port}/echo"
        code, out, err = shell(f"printf '%s' \"$SAY\" | {first} | {second}", SAY=text)
        assert (code, err) == (0, ""), (code, out, err)
        assert [item for item in events(out) if item["event"] == "message"] == [
            {"event": "message", "type": "text", "data": "grüße"},
            {"event": "message", "type": "binary", "data": "AP8="}], out


@contextlib.contextmanager
def python_websockets():
    """A server in a thread and loop of its own: echoes, with a ping before; gives its port."""
    started = concurrent.futures.Future()

    async def echo(socket, path):
        del path
        async for message in socket:
            await (await socket.ping("beat"))
            await socket.send(message)

    async def main():
        stop = asyncio.Event()
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(),
                                stop))
            await stop.wait()
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    port, loop, stop = started.result(timeout=PATIENCE)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def a_server_of_python_websockets():
    say = [{"type": "text", "data": "grüße " * 1000}, {"type": "binary", "data": "AP8B"}]
    with python_websockets() as port:
        for options in ((), ("--deflate",)):
            code, out, err = converse("--json", "--json-input", *options, URL.format(port),
                                      say="\n".join(map(json.dumps, say)).encode())
            assert (code, err) == (0, ""), (code, err)
            got = events(out)
            assert [item["event"] for item in got] == ["open", "ping", "message", "ping", "message",
                                                       "close"], got
            assert [got[2], got[4]] == [{"event": "message", **item} for item in say], got
            assert (got[5]["code"], got[5]["by"]) == (1000, "client"), got


def the_examples_with_jq():
    if shutil.which("jq") is None:
        print("  jq is not installed: not run")
        return
    with Server() as server:
        code, out, err = shell(
            "jq -nc '{data: \"hello\"}, {type: \"binary\", data: \"AP8=\"}'"
            f" | $WRING connect --json --json-input {server.url()}"
            " | jq -r 'select(.event == \"message\" and .type == \"text\").data'")
        assert (code, out, err) == (0, b"hello\n", ""), (code, out, err)


run([each_event_is_an_object, failures_are_events_too, objects_become_frames,
     closes_that_were_asked_for, an_error_event_is_last_whenever_the_exit_code_is_not_0,
     wrong_objects_are_refused, what_one_command_prints_another_reads,
     a_server_of_python_websockets, the_examples_with_jq])
