# SPDX-License-Identifier: Apache-2.0
"""WebSockets through a proxy that speaks HTTP/2 to the server, also of several clients at once."""
import asyncio
import pathlib

import websockets

from http_proxied import PUBLIC, hooks_pass
from http_tools import echoes, need, output
from tools import PATIENCE, environment

NODE = need("node")
WS_CLIENT = str(pathlib.Path(__file__).resolve().parent / "ws_client.mjs")
SOCKETS = 50


async def at_once(port, path):
    """SOCKETS sockets that are open together, each with messages of its own; what /peer said."""
    url = f"ws://public.example{path}"
    opened = await asyncio.gather(*[
        websockets.connect(url, host="127.0.0.1", port=port, origin=PUBLIC, open_timeout=PATIENCE)
        for _ in range(SOCKETS)])
    said = [await asyncio.wait_for(one.recv(), PATIENCE) for one in opened]
    for i in range(10):
        await asyncio.gather(*[one.send(f"{number} {i}" * 500) for number, one in enumerate(opened)])
        replies = await asyncio.gather(*[asyncio.wait_for(one.recv(), PATIENCE) for one in opened])
        assert replies == [f"{number} {i}" * 500 for number in range(SOCKETS)]
    await asyncio.gather(*[one.close(1000, "done") for one in opened])
    codes = {(one.close_code, one.close_reason) for one in opened}
    assert codes == {(1000, "done")} or codes == {(1000, "")}, codes
    return said


def node_sockets_pass(port):
    """Twenty of Node's ws at once, without compression and with."""
    for path in ("/ws", "/deflate"):
        code, out, err = output(NODE, WS_CLIENT, f"ws://127.0.0.1:{port}{path}",
                                f"http://127.0.0.1:{port}", "20", env=environment())
        assert (code, out) == (0, "ok 20\n"), (out, err)


def sockets_pass(proxy):
    """WebSockets of all clients, and refusals; what /peer said to SOCKETS that were open together."""
    proxy.talk(echoes)
    proxy.talk(echoes, path="/deflate")
    proxy.talk(echoes, origin=None)
    assert proxy.refusal(origin="https://evil.example") == 403
    assert proxy.refusal("/nothing") == 404
    hooks_pass(proxy)
    said = asyncio.run(at_once(proxy.port, "/peer"))
    assert len(said) == SOCKETS and all(line.endswith(" 20") for line in said), said
    node_sockets_pass(proxy.port)
    assert proxy.ask("GET", "/hello")[0] == 200
    return said
