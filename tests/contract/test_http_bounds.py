"""Heads, bodies, idle connections and slow readers are bounded in bytes, in time and in number."""

import asyncio
import re
import socket
from dataclasses import replace

import pytest

from remit.facts.limits import DEFAULT
from tests.contract.http_world import read, serving
from tests.eventually import WITHIN_S, eventually

OK = b"HTTP/1.1 200"
STATUS = re.compile(rb"HTTP/1\.1 \d{3} ")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.asyncio
async def test_a_head_that_never_ends_is_cut_off_early() -> None:
    async with serving() as world:
        line = b"X-A: " + b"a" * 300_000
        said = await world.answer(b"GET / HTTP/1.1\r\nHost: x\r\n", line, line, line)
        assert said.startswith(b"HTTP/1.1 431") or said == b"reset"
        many = b"".join(b"X-%d: y\r\n" % number for number in range(40_000))
        assert not (await world.answer(b"GET / HTTP/1.1\r\nHost: x\r\n", many, many, many, b"\r\n")).startswith(OK)
        assert set(world.refused) == {"limit/head-bytes"}


@pytest.mark.asyncio
async def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    async with serving(replace(DEFAULT, head_s_max=0.2)) as world:
        said = await world.answer(b"GET / HTTP/1.1\r\nHo")
        assert said.startswith(b"HTTP/1.1 408")
        assert b"limit/head-time" in said
        assert said.endswith(b"(closed)")
        assert (await world.answer()).startswith(b"HTTP/1.1 408")
        # Line breaks are passed over by the parser, and buy no time.
        await world.answer(GET, *[b"\r\n"] * 15, pause_s=0.05)
        assert world.refused["limit/head-time"] == 3
        drip = await world.answer(b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"X: y\r\n"] * 15, pause_s=0.05)
        assert drip == b"reset" or drip.startswith(b"HTTP/1.1 408")


@pytest.mark.asyncio
async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    async with serving(replace(DEFAULT, body_s_max=0.3)) as world:
        said = await world.answer(head % b"/", *[b"b"] * 20, pause_s=0.05)
        assert said == b"reset" or said.startswith(b"HTTP/1.1 408")
        assert world.refused["limit/body-time"] == 1
        # Also when it was answered before it was read: what follows is nobody's.
        said = await world.answer(head % b"/early", quiet_s=WITHIN_S)
        assert len(STATUS.findall(said)) == 1
        assert said.startswith(OK)
        assert said.endswith(b"(closed)")
        assert world.refused["limit/body-time"] == 2


@pytest.mark.asyncio
async def test_bodies_and_further_requests_are_not_bounded_by_the_heads_clock() -> None:
    async with serving(replace(DEFAULT, head_s_max=0.5)) as world:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        for _ in range(2):
            writer.write(head)
            for _ in range(30):
                writer.write(b"b" * 100_000)
                await asyncio.sleep(0.025)
            said = await asyncio.wait_for(reader.readuntil(b"03000000"), WITHIN_S)
            assert said.startswith(OK)
        writer.close()


@pytest.mark.asyncio
async def test_a_long_answer_outlives_the_clock_of_a_stray_line_break() -> None:
    async with serving(replace(DEFAULT, head_s_max=0.2)) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab\r\n")
        await asyncio.sleep(0.6)
        world.release.set()
        assert b"00000002" in await read(reader)
        writer.close()


@pytest.mark.asyncio
async def test_an_idle_connection_is_closed() -> None:
    async with serving(replace(DEFAULT, idle_s_max=1)) as world:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(GET)
        assert (await read(reader, quiet_s=WITHIN_S)).endswith(b"00000000(closed)")
        writer.close()


@pytest.mark.asyncio
async def test_who_does_not_read_is_cut_off() -> None:
    async with serving(replace(DEFAULT, write_s_max=0.3)) as world:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", world.port))
            slow.sendall(GET.replace(b"/ ", b"/big "))
            # It gives its place back an iteration of the loop after it was refused.
            await eventually(lambda: world.refused["limit/write-time"] and not world.bounds.open)


@pytest.mark.asyncio
async def test_when_full_who_waits_longest_makes_room_and_who_is_served_stays() -> None:
    async with serving(replace(DEFAULT, connections_max=3)) as world:
        held, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        idle = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(2)]
        await eventually(lambda: len(world.bounds.open) == 3 and world.seen)
        assert (await world.answer(GET)).startswith(OK)
        assert await idle[0][0].read() == b"", "the first of the idle ones made room"
        # Nobody waits any more: who comes now is told so.
        writers = [writer]
        for _ in range(2):
            _, more = await asyncio.open_connection("127.0.0.1", world.port)
            more.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
            writers.append(more)
        await eventually(lambda: len(world.seen) >= 4)
        said = await world.answer(GET)
        assert said.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in said
        assert b"limit/connections" in said
        world.release.set()
        assert b"00000000" in await read(held)
        for one in (*writers, *(w for _, w in idle)):
            one.close()
