"""Proxies that break things, between the operator and the apiserver or Prometheus.

HttpProxy understands HTTP/1.1 (it ends TLS and begins it anew), so that an answer can be replaced, cut short, delayed or
lost after the request was carried out, and so that a websocket can be cut in the middle of a message, fall silent, or get a
message that the server never sent. TcpProxy sees bytes: it refuses, garbles, resets and swallows them.

Both run in one thread of their own; their methods may be called from any other.
"""

import asyncio
import re
import struct
import threading

LIMIT = 64 * 1024 * 1024


class Loop:
    """The event loop of all proxies, in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda *_: None)  # broken connections are the purpose
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def run(self, function):
        async def wrapped():
            return function()
        return self.call(wrapped())


class Rule:
    """What shall happen to requests whose "METHOD /path?query" matches, and whose body has `saying` in it, `times` times
    after `skip` others.

    status (with body and headers): answered without asking the server. cut: that many bytes of the answer, then the end.
    lose: the server carries it out, and no byte of the answer comes. delay: seconds before the answer. hold: no answer and
    no end.
    """

    def __init__(self, pattern, times=1, *, skip=0, status=None, body=b"", headers=(), cut=None, lose=False, delay=0,
                 hold=False, saying=""):
        self.pattern, self.times, self.skip, self.saying = re.compile(pattern), times, skip, saying.encode()
        self.status, self.body, self.headers = status, body, headers
        self.cut, self.lose, self.delay, self.hold = cut, lose, delay, hold
        self.hits = 0

    def takes(self, request, body):
        if self.hits >= self.times or not self.pattern.search(request) or self.saying not in body:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class Tunnel:
    """An open websocket: bytes in both directions."""

    def __init__(self, request, client, server):
        self.request, self.client, self.server = request, client, server
        self.mode = "pass"
        self.swallowed = 0


def abort(*writers):
    for writer in writers:
        if writer:
            writer.transport.abort()


async def read_head(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    return head, first, {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines if ":" in line)}


async def body_pieces(reader, headers, length_unknown):
    """A body as it stands on the wire, piece by piece as it arrives. length_unknown: what to take where no header tells the
    length, everything up to the end or nothing."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            yield line + await reader.readexactly(size + 2)
        return
    left = int(headers.get("content-length", LIMIT if length_unknown else 0))
    while left and (piece := await reader.read(min(left, 65536))):
        left -= len(piece)
        yield piece


class Spout:
    """Writes to the client, up to a number of bytes; then the connection ends."""

    def __init__(self, writer, limit):
        self.writer, self.left = writer, limit

    async def write(self, data):
        if self.left is not None:
            data = data[:self.left]
            self.left -= len(data)
        self.writer.write(data)
        await self.writer.drain()
        if self.left == 0:
            raise ConnectionResetError


class HttpProxy:
    def __init__(self, loop, host, port, server_tls=None, client_tls=None):
        self.loop, self.upstream = loop, (host, port)
        self.server_tls, self.client_tls = server_tls, client_tls
        self.rules, self.tunnels, self.requests = [], set(), []
        self.server = loop.call(asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=server_tls, limit=LIMIT))
        self.port = self.server.sockets[0].getsockname()[1]

    def add(self, *rules):
        """Sets rules in front of those there are; the first is returned, for its `hits`."""
        self.loop.run(lambda: self.rules.extend(rules))
        return rules[0]

    def clear(self):
        self.loop.run(self.rules.clear)

    def tunnel(self, pattern, mode):
        """Sets the mode of the open websockets whose request matches; how many. `half`: the next bytes from the server are
        cut in the middle and the connection ends; `silent`: it stays open and carries nothing more; `cut`: at once."""
        return self.loop.run(lambda: self._tunnel(pattern, mode))

    def _tunnel(self, pattern, mode):
        found = [t for t in self.tunnels if re.search(pattern, t.request)]
        for tunnel in found:
            tunnel.mode = mode
            if mode == "cut":
                abort(tunnel.client, tunnel.server)
        return len(found)

    def inject(self, pattern, text):
        """Sends a text message on the open websockets whose request matches, as if it came from the server."""
        payload = text.encode()
        if len(payload) < 126:
            length = bytes([len(payload)])
        else:
            length = b"\x7e" + struct.pack(">H", len(payload)) if len(payload) < 65536 else b"\x7f" + struct.pack(">Q", len(payload))

        def send():
            found = [t for t in self.tunnels if re.search(pattern, t.request)]
            for tunnel in found:
                tunnel.client.write(b"\x81" + length + payload)
            return len(found)
        return self.loop.run(send)

    def asked(self, pattern, since=0):
        """How many requests matched since the request number `since`."""
        return self.loop.run(lambda: sum(bool(re.search(pattern, r)) for r in self.requests[since:]))

    async def serve(self, reader, writer):
        server = None
        try:
            while True:
                head, first, headers = await read_head(reader)
                method, path, _ = first.split(" ", 2)
                body = b"".join([piece async for piece in body_pieces(reader, headers, False)])
                request = f"{method} {path}"
                self.requests.append(request)
                rule = next((r for r in self.rules if r.takes(request, body)), None)
                if rule and await self.answer(rule, writer):
                    continue
                if not server:
                    server = await asyncio.open_connection(*self.upstream, ssl=self.client_tls, limit=LIMIT)
                server[1].write(head + body)
                if await self.relay(request, rule, server, reader, writer):
                    return
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            abort(writer, server and server[1])

    async def answer(self, rule, writer):
        """Does what needs no server; whether that was all."""
        if rule.delay:
            await asyncio.sleep(rule.delay)
        if rule.hold:
            await asyncio.sleep(3600)
        if rule.status is None:
            return False
        lines = [f"HTTP/1.1 {rule.status} Fault", f"Content-Length: {len(rule.body)}"]
        if not any(h.lower().startswith("content-type") for h in rule.headers):
            lines.append("Content-Type: application/json")
        writer.write("\r\n".join([*lines, *rule.headers]).encode() + b"\r\n\r\n" + rule.body)
        await writer.drain()
        return True

    async def relay(self, request, rule, server, reader, writer):
        """Passes one answer on; True where the connection has ended with it."""
        head, first, headers = await read_head(server[0])
        status = int(first.split(" ")[1])
        if status == 101:
            writer.write(head)
            await self.run_tunnel(Tunnel(request, writer, server[1]), reader, server[0])
            return True
        if rule and rule.lose:
            return True
        spout = Spout(writer, rule.cut if rule else None)
        await spout.write(head)
        if not request.startswith("HEAD") and status not in (204, 304):
            async for piece in body_pieces(server[0], headers, True):
                await spout.write(piece)
        return headers.get("connection", "").lower() == "close"

    async def run_tunnel(self, tunnel, from_client, from_server):
        self.tunnels.add(tunnel)
        try:
            await asyncio.gather(self.upward(tunnel, from_client), self.downward(tunnel, from_server))
        finally:
            self.tunnels.discard(tunnel)

    async def upward(self, tunnel, reader):
        while data := await reader.read(65536):
            if tunnel.mode != "silent":
                tunnel.server.write(data)
        raise ConnectionResetError

    async def downward(self, tunnel, reader):
        while data := await reader.read(65536):
            if tunnel.mode == "silent":
                tunnel.swallowed += len(data)
                continue
            if tunnel.mode == "half":
                tunnel.client.write(data[:len(data) // 2])
                await tunnel.client.drain()
                raise ConnectionResetError
            tunnel.client.write(data)
            await tunnel.client.drain()
        raise ConnectionResetError


class TcpProxy:
    """Bytes: mode is pass, refuse (accepted and reset), silent (nothing goes through), or garble (the next bytes from the
    server are changed, then pass again). A mode holds for open and for new connections."""

    def __init__(self, loop, port, host="127.0.0.1"):
        self.loop, self.upstream = loop, (host, port)
        self.current, self.connections = "pass", set()
        self.garbled = 0
        self.server = loop.call(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]

    def mode(self, mode):
        def change():
            self.current = mode
            if mode == "refuse":
                for pair in list(self.connections):
                    abort(*pair)
        self.loop.run(change)

    async def serve(self, reader, writer):
        server = None
        try:
            if self.current == "refuse":
                return
            from_server, server = await asyncio.open_connection(*self.upstream)
            self.connections.add((writer, server))
            await asyncio.gather(self.pump(reader, server, False), self.pump(from_server, writer, True))
        except OSError:
            pass
        finally:
            self.connections.discard((writer, server))
            abort(writer, server)

    async def pump(self, reader, writer, down):
        while data := await reader.read(65536):
            if self.current == "silent":
                continue
            if self.current == "garble" and down:
                data = bytes(b ^ 0x5a for b in data)
                self.garbled += 1
                self.current = "pass"
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
