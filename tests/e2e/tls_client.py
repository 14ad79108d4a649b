#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our TLS client: what it refuses and why; resumption seen at both ends; certificates of its own.
The servers are Python's, Node's, OpenSSL's and ours."""
import contextlib
import json
import os
import ssl
import subprocess
import tempfile

from server import run
from tools import (Certs, Greeter, Listener, Program, client_events, environment,
                   free_port, node_server, read_head, response)

certs = Certs()
TRUST = ("--ca", certs.ca)


def python_tls(context, greet=b""):
    """A server that upgrades each connection, says `greet` and echoes a close."""
    def serve(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            head = read_head(tls)
            text = greet or (b"reused" if tls.session_reused else b"new")
            tls.sendall(response(head) + b"\x81" + bytes([len(text)]) + text)
            tls.recv(4096)
            tls.sendall(b"\x88\x02\x0f\xa1")
            with contextlib.suppress(OSError):
                tls.unwrap()
    return Listener(serve)


# ---- certificates that are refused -----------------------------------------------------------------

BAD = [("expired", "ERR_TLS_CERTIFICATE_EXPIRED", "expired on 20"),
       ("future", "ERR_TLS_CERTIFICATE_EXPIRED", "is not valid before 20"),
       ("self-signed", "ERR_TLS_SELF_SIGNED", "self-signed"),
       ("unknown-ca", "ERR_TLS_UNKNOWN_CA", "issuer"),
       ("other-host", "ERR_TLS_WRONG_HOST", "'CN:other, DNS:other.example, IP:192.0.2.1', not "
                                            "for the host 'localhost'")]


def bad_certificates_are_refused_by_name():
    for name, result, why in BAD:
        with python_tls(certs.server_context(name)) as server:
            url = f"wss://localhost:{server.port}/"
            events = client_events(url, *TRUST)
            assert events[-1]["result"] == result and why in events[-1]["why"], (name, events)
            done = connect(url, "--ca", certs.ca)  # the command's exit code is that of TLS
            assert done.returncode == 5 and why in done.stderr, done
            events = client_events(url, "--insecure")
            assert events[0]["event"] == "open" and not events[0]["verified"], events


def connect(url, *options):
    return subprocess.run([os.environ["WRING"], "connect", *options, url], text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, env=environment(),
                          timeout=60)


def names_and_addresses():
    with python_tls(certs.server_context()) as server:
        for host in ("localhost", "127.0.0.1", "LOCALHOST"):
            events = client_events(f"wss://{host}:{server.port}/", *TRUST)
            assert events[-1]["result"] == "OK", (host, events)
        events = client_events(f"wss://[::ffff:127.0.0.1]:{server.port}/", *TRUST)
        assert events[-1]["result"] == "ERR_TLS_WRONG_HOST", events
    with python_tls(certs.server_context("other-host")) as server:
        events = client_events(f"wss://127.0.0.1:{server.port}/", *TRUST)
        assert events[-1]["result"] == "ERR_TLS_WRONG_HOST", events


def without_a_ca_the_systems_authorities_decide():
    with python_tls(certs.server_context()) as server:
        url = f"wss://localhost:{server.port}/"
        events = client_events(url)
        assert events[-1]["result"] == "ERR_TLS_UNKNOWN_CA", events
        events = client_events(url, env=environment(SSL_CERT_FILE=certs.ca))
        assert events[-1]["result"] == "OK", events


# ---- versions, resumption --------------------------------------------------------------------------

def both_versions():
    for version, name in [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]:
        context = certs.server_context()
        context.minimum_version = context.maximum_version = version
        with python_tls(context) as server:
            events = client_events(f"wss://localhost:{server.port}/", *TRUST)
            assert events[0]["version"] == name and events[0]["verified"], events
            expect_resumed(f"wss://localhost:{server.port}/", ["new", "reused", "reused"])


def expect_resumed(url, texts=None, third=True):
    """Three sessions in a row: the second and the third are resumed."""
    events = client_events(url, *TRUST, "--reconnect", "1", "--sessions", "3")
    opens = [e["resumed"] for e in events if e["event"] == "open"]
    assert opens == [False, True, third], events
    assert all(e["verified"] for e in events if e["event"] == "open"), events
    if texts:
        assert [e["payload"] for e in events if e["event"] == "text"] == texts, events
    return events


def resumption_with_our_server():
    with Greeter(certs) as server:
        events = expect_resumed(server.url)
        infos = [json.loads(e["payload"]) for e in events if e["event"] == "text"]
        assert [info["resumed"] for info in infos] == [False, True, True], infos
        # another name is another session: nothing is resumed across names
        events = client_events(f"wss://127.0.0.1:{server.port}/", *TRUST)
        assert not events[0]["resumed"], events


def resumption_with_node():
    with node_server(*certs.pair("server")) as port:
        # Node gives no new ticket to those who resume, and one of TLS 1.3 is good for once
        expect_resumed(f"wss://localhost:{port}/headers", third=False)


def resumption_survives_a_reload():
    with Greeter(certs) as server:
        process = subprocess.Popen(
            [os.environ["E2E_CLIENT"], *TRUST, "--reconnect", "1", "--sessions", "8",
             "listen", server.url], stdout=subprocess.PIPE, text=True, env=environment())
        events = []
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == "end":
                assert server.reload() == "OK"
        assert process.wait(timeout=60) == 0
        opens = [e["resumed"] for e in events if e["event"] == "open"]
        assert opens == [False] + [True] * 7, opens


# ---- our own certificate ---------------------------------------------------------------------------

def a_certificate_of_our_own():
    cert, key = certs.pair("client")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = certs.server_context()
        context.minimum_version = context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certs.ca)
        with python_tls(context, b"hello alice") as server:
            url = f"wss://localhost:{server.port}/"
            events = client_events(url, *TRUST, "--cert", cert, "--key", key)
            assert events[1]["payload"] == "hello alice", events
            events = client_events(url, *TRUST)
            assert events[-1]["result"] in ("ERR_TLS_CERTIFICATE_REFUSED", "ERR_TLS_NO_SHARED"), \
                (version, events)
            events = client_events(url, *TRUST, "--cert", certs.file("unknown-ca.pem"), "--key",
                                   certs.file("unknown-ca.key"))
            assert events[-1]["result"] == "ERR_TLS_CERTIFICATE_REFUSED", events
            assert "unknown CA" in events[-1]["why"], events
            done = connect(url, "--ca", certs.ca, "--cert", cert, "--key", key)
            assert done.stdout == "hello alice\n", done


# ---- openssl s_server: renegotiation asked for by the server -----------------------------------------

def a_server_that_wants_to_renegotiate():
    cert, key = certs.pair("server")
    port = free_port()
    with Program("openssl", "s_server", "-port", str(port), "-tls1_2", "-cert", cert, "-key", key,
                 port=port, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 stderr=subprocess.STDOUT) as program:
        with tempfile.TemporaryFile("w+") as out:
            client = subprocess.Popen(
                [os.environ["E2E_CLIENT"], *TRUST, "--timeout", "8000", "listen",
                 f"wss://localhost:{port}/"], stdout=out, text=True, env=environment())
            for line in program.process.stdout:
                if "Sec-WebSocket-Version" in line:
                    program.process.stdin.write("r\n")  # a HelloRequest
                    program.process.stdin.flush()
                    break
            # refused, and its own answer to us is still awaited: s_server ends the connection
            heard = ""
            for line in program.process.stdout:
                heard += line
                if "renegotiation" in line.lower() or "ERROR" in line:
                    break
            program.process.terminate()
            assert client.wait(timeout=60) == 0
            out.seek(0)
            assert '"event":"closed"' in out.read()
        assert "no renegotiation" in heard or "ERROR" in heard, heard


run([bad_certificates_are_refused_by_name, names_and_addresses,
     without_a_ca_the_systems_authorities_decide, both_versions, resumption_with_our_server,
     resumption_with_node, resumption_survives_a_reload, a_certificate_of_our_own,
     a_server_that_wants_to_renegotiate])
