"""A name server of our own on loopback, whose answers change, and a resolver that asks it (RFC 1035, UDP, A)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp.abc import AbstractResolver, ResolveResult

from tests.eventually import WITHIN_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@dataclass
class Names(asyncio.DatagramProtocol):
    """`answers` by name: each question gets the next set of addresses, the last one for good. `asked` is the order."""

    answers: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list[str])
    transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember by whom to answer."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        name, question = _name(data, 12)
        self.asked.append(name)
        left = self.answers.get(name, [])
        found = (left.pop(0) if len(left) > 1 else left[0]) if left else []
        code = 0 if found else 3
        head = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0)
        records = [b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(one) for one in found]
        self.transport.sendto(head + question + b"".join(records), addr)


def _name(data: bytes, at: int) -> tuple[str, bytes]:
    labels: list[str] = []
    begin = at
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii"))
        at += 1 + data[at]
    return ".".join(labels), data[begin : at + 5]


@dataclass
class Asking(AbstractResolver):
    """Asks the name server at `port`, every time anew."""

    port: int

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses that it answers with."""
        labels = b"".join(bytes([len(one)]) + one.encode("ascii") for one in host.split("."))
        query = struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
            asks.setblocking(False)
            await loop.sock_connect(asks, ("127.0.0.1", self.port))
            await loop.sock_sendall(asks, query)
            answer = await asyncio.wait_for(loop.sock_recv(asks, 512), WITHIN_S)
        count = struct.unpack("!H", answer[6:8])[0]
        addresses = [socket.inet_ntoa(answer[-4 - 16 * at :][:4]) for at in reversed(range(count))]
        if not addresses:
            raise OSError(f"nobody knows {host}")
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


@contextlib.asynccontextmanager
async def names(**answers: list[list[str]]) -> AsyncGenerator[tuple[Names, Asking]]:
    """The name server and who asks it; `_` stands for a dot in the names."""
    loop = asyncio.get_running_loop()
    known = {name.replace("_", "."): list(said) for name, said in answers.items()}
    transport, server = await loop.create_datagram_endpoint(lambda: Names(known), local_addr=("127.0.0.1", 0))
    try:
        yield server, Asking(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
