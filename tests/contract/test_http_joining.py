"""Answers leave in one write where they are ready, and are never kept where they are not."""

from __future__ import annotations

import asyncio

from remit.app.http.joint_write import JointWrite


class Transport:
    """Notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_a_head_waits_for_its_body_but_not_for_a_stream() -> None:
    async def main() -> None:
        real = Transport()
        joining = JointWrite(real, asyncio.get_running_loop())
        joining.write(b"head ")
        joining.write(b"body")
        assert real.written == [b"head body"]
        joining.write(b"head of a stream")
        assert len(real.written) == 1
        await asyncio.sleep(0)
        assert real.written[1:] == [b"head of a stream"]
        joining.write(b"last words")
        joining.close()
        assert real.written[2:] == [b"last words"]
        assert joining.is_closing()
        joining.write(b"too late")
        await asyncio.sleep(0)
        assert len(real.written) == 3

    asyncio.run(main())
