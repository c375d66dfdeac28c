"""The workspace that the tutorial leaves behind: the agent `assistant`, you, and the tool `notes/publish`."""

import re
import shlex
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proof.service import Service
from tests.e2e.speaking import api, envelope, post

PAGES = Path(__file__).parents[2] / "docs" / "tutorial"
BLOCK = re.compile(
    r"^```(?P<kind>console|python|yaml) ?(?P<file>[\w./]+)?\n(?P<text>.*?)^```"
    r"|^<!-- (?P<act>start|prints) (?P<what>[^\n]+) -->$",
    re.MULTILINE | re.DOTALL,
)


class Shop(Service):
    """The service of the first run."""

    @property
    def workspace(self) -> Path:
        return self.root / "shop"

    @property
    def data(self) -> Path:
        return self.root / "shop-data"

    def put(self, file: str, text: str) -> None:
        """Write a file of the tutorial, with this machine's paths and this service's address."""
        text = text.replace("http://127.0.0.1:7171", self.url)
        text = text.replace("/home/you/tools/bin/python", sys.executable).replace("/home/you", str(self.root))
        (self.root / file).write_text(text, "utf-8")

    def type(self, line: str, before: str) -> str:
        """What the command of `line` prints; it may name what `before`, the output so far, holds."""
        for word, pattern in (("PIN", r"sha256:[0-9a-f]{64}"), ("ID", r"\br[0-9a-z]+-\d+\.\d+\b")):
            if word in line.split():
                line = line.replace(f" {word}", f" {re.findall(pattern, before)[0]}")
        done = self.remit(*shlex.split(line)[2:])
        assert done.returncode in {0, 1}, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


def call(shop: Shop, token: str, tool: str, arguments: Any) -> None:
    """One call of a tool of `notes`, whatever becomes of it."""
    assert post(shop, token, "notes", envelope(tool, arguments), tool).status == 200


def publish(shop: Shop, token: str, text: str) -> None:
    """Publish a note as the tutorial does: you approve it, and the call runs."""
    call(shop, token, "publish", {"text": text})
    asked = api(shop, "GET", "/approvals?limit=1")["items"][0]
    shop.told("approvals", "approve", asked["id"], token=shop.user("you"))
    call(shop, token, "publish", {"text": text})


@contextmanager
def tutored(root: Path) -> Generator[Shop]:
    """The service after the tutorial, whose callers do not wait long for people."""
    shop, output = Shop(root), ""
    assert shop.remit("init", "shop").returncode == 0
    routes = shop.workspace / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("hold_s: 60", "hold_s: 0.1"), "utf-8")
    shop.start()
    try:
        page, _ = (PAGES / "your-own-server.md").read_text("utf-8").split("## The agent")
        for block in BLOCK.finditer(page):
            if block["file"]:
                shop.put(block["file"], block["text"])
                continue
            for line in block["text"].splitlines():
                if line.startswith("$ remit "):
                    output = shop.type(line, output)
        yield shop
    finally:
        shop.stop()
