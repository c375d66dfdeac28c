"""A request has one reading: what two readers could take for two is refused, and nothing after it is read."""

import re

import pytest

from tests.contract.http_world import serving

OK = b"HTTP/1.1 200"
STATUS = re.compile(rb"HTTP/1\.1 \d{3} ")
HOST = b"Host: x\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def post(headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"POST / HTTP/" + version + b"\r\n" + HOST + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
TWO_MEANINGS = {
    "length and chunked": post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n"),
    "chunked and length": post(CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 2\r\nContent-Length: 3\r\n", b"abc"),
    "one length twice": post(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"ab"),
    "a list of lengths": post(b"Content-Length: 2, 2\r\n", b"ab"),
    "a signed length": post(b"Content-Length: +2\r\n", b"ab"),
    "a negative length": post(b"Content-Length: -2\r\n", b"ab"),
    "a length in hex": post(b"Content-Length: 0x2\r\n", b"ab"),
    "no length": post(b"Content-Length: \r\n", b"ab"),
    "a length beyond any": post(b"Content-Length: 99999999999999999999999\r\n", b"ab"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "two codings": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "chunked but not last": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "chunked twice": post(CHUNKED + CHUNKED, b"0\r\n\r\n"),
    "a vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "chunked in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n", b"1.0"),
    "a folded line": post(b"X-A: a\r\n b\r\n"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "a folded first line": b"POST / HTTP/1.1\r\n Host: x\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "a bare line feed in the head": b"GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n",
    "a bare line feed at its end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n",
    "a carriage return in the request line": b"GET /\r HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL": post(b"X-A: a\x00b\r\n"),
    "a control character": post(b"X-A: a\x01b\r\n"),
    "a space in a name": post(b"X A: b\r\n"),
    "no name": post(b": b\r\n"),
    "no colon": post(b"foo\r\n"),
    "two hosts": post(b"Host: y\r\n"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a target on another host": b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a chunk's line feed": post(CHUNKED, b"1\nx\r\n0\r\n\r\n"),
    "a line feed in a chunk's extension": post(CHUNKED, b"1;a\nb\r\nx\r\n0\r\n\r\n"),
    "a chunk that is longer": post(CHUNKED, b"1\r\nxy\r\n0\r\n\r\n"),
    "a negative chunk": post(CHUNKED, b"-1\r\nx\r\n0\r\n\r\n"),
    "a chunk beyond any": post(CHUNKED, b"fffffffffffffffff\r\nx\r\n0\r\n\r\n"),
    "an upgrade": post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", b"ab"),
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", TWO_MEANINGS)
async def test_what_has_two_meanings_is_refused_and_nothing_after_it_is_read(name: str) -> None:
    async with serving() as world:
        said = await world.answer(TWO_MEANINGS[name] + NEXT)
        assert said.startswith(b"HTTP/1.1 400"), said
        assert said.endswith(b"(closed)"), "the connection stays open"
        assert len(STATUS.findall(said)) == 1
        assert b'"error_description"' in said, "no reason is given"
        # One byte at a time it is the same.
        octets = [bytes([byte]) for byte in TWO_MEANINGS[name] + NEXT]
        said = await world.answer(*octets, pause_s=0)
        assert said == b"reset" or (said.startswith(b"HTTP/1.1 400") and len(STATUS.findall(said)) == 1)
        assert not any(b"smuggled" in body for _, body in world.seen)
        assert len(world.seen) <= 2, "a request that was not sent was answered"


@pytest.mark.asyncio
@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
async def test_other_versions_are_told_which_is_spoken(version: bytes) -> None:
    async with serving() as world:
        said = await world.answer(post(b"", version=version))
        assert said.startswith(b"HTTP/1.1 505")
        assert said.endswith(b"(closed)")


@pytest.mark.asyncio
async def test_trailers_are_no_headers() -> None:
    async with serving() as world:
        said = await world.answer(post(CHUNKED, b"1\r\nx\r\n0\r\nAuthorization: Bearer stolen\r\nHost: y\r\n\r\n"))
        assert said.startswith(OK)
        [(headers, body)] = world.seen
        assert body == b"x"
        assert headers == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


@pytest.mark.asyncio
async def test_what_has_one_meaning_is_served() -> None:
    async with serving() as world:
        served = [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
            b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            post(b"Transfer-Encoding: Chunked\r\n", b"3;why=not\r\nabc\r\n0\r\n\r\n"),
            post(b"Content-Length: 3\r\n", b"abc") * 2,
        ]
        for request in served:
            said = await world.answer(request)
            assert said.count(b"HTTP/1.1 200 OK") == max(1, request.count(b"HTTP/1.1")), request
        assert not world.refused


@pytest.mark.asyncio
async def test_what_follows_a_last_request_is_not_read() -> None:
    async with serving() as world:
        said = await world.answer(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + NEXT)
        assert said.count(OK) == 1
        assert said.endswith(b"(closed)")
