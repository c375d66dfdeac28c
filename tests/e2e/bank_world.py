"""A workspace around the bank: two agents, and what the how-to on sequences declares."""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx2
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client

from proof.counting import until_listens
from proof.service import Service, environment, free_port
from tests.eventually import WITHIN_S

UPSTREAMS = Path(__file__).parents[1] / "upstreams"
BANK = UPSTREAMS / "bank.py"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "limit-what-follows-what.md"
BLOCK = re.compile(r"^```(cedar|yaml) (?P<file>[\w.]+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
RESOURCES = (UPSTREAMS / "bank.yaml").read_text("utf-8")
PERMIT = (UPSTREAMS / "all.cedar").read_text("utf-8")


def page() -> dict[str, str]:
    """The files that the how-to has one write."""
    return {block["file"]: block["text"] for block in BLOCK.finditer(PAGE.read_text("utf-8"))}


@dataclass
class Banking:
    """The bank, and a service that governs it."""

    root: Path
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.service = Service(self.root)
        self.service.write({"resources.yaml": RESOURCES.replace("8900", str(self.port)), "all.cedar": PERMIT})

    @property
    def done(self) -> list[str]:
        """What was done at the bank."""
        path = self.root / "done"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    async def call(
        self, token: str, tool: str, *, answers: ElicitationFnT | None = None, **arguments: Any
    ) -> tuple[bool, str]:
        """Whether a call was let through, and what its caller reads; `answers` says what he says when asked."""
        headers = {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60)) as http:
            transport = streamable_http_client(f"{self.service.url}/mcp/bank", http_client=http)
            async with Client(transport, elicitation_callback=answers) as client:
                result = await client.call_tool(tool, arguments)
        return not result.is_error, " ".join(getattr(block, "text", "") for block in result.content)

    def __enter__(self) -> Self:
        try:
            self.server = subprocess.Popen(
                [sys.executable, BANK, str(self.port), self.root],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
            )
            until_listens(self.server, self.port, "the bank")
            self.service.start()
            self.service.accept("bank")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        if self.server is not None:
            self.server.kill()
            self.server.wait(WITHIN_S)
            self.server = None
