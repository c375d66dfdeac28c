"""A workspace around the notes server: two agents, a shared store, a mail that people must let pass."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from proof.counting import until_listens
from proof.service import Service, environment, free_port
from tests.eventually import WITHIN_S

UPSTREAMS = Path(__file__).parents[1] / "upstreams"
NOTES = UPSTREAMS / "notes.py"

RESOURCES = (UPSTREAMS / "notes.yaml").read_text("utf-8")
KNOWN = (UPSTREAMS / "notes_tools.yaml").read_text("utf-8")
TOOLS = f"{KNOWN}---\n{(UPSTREAMS / 'notes_send.yaml').read_text('utf-8')}"
PERMIT = (UPSTREAMS / "all.cedar").read_text("utf-8")
GATE = """\
@id("tainted-mail")
@gate("owner")
@reason("what was read may have chosen this mail")
forbid (principal, action == Remit::Action::"notes___send", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") };
"""


@dataclass
class Noting:
    """The notes server, and a service that governs it; each may be started anew."""

    root: Path
    policies: str = GATE
    name: str = ""
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.service = Service(self.root, name=self.name)
        self.service.write({"resources.yaml": RESOURCES.replace("8901", str(self.port)), "all.cedar": PERMIT})

    @property
    def sent(self) -> list[list[str]]:
        """The mails that left, each its receiver and text."""
        path = self.root / "sent"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def start_server(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, NOTES, str(self.port), self.root],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        until_listens(self.server, self.port, "the server")

    def __enter__(self) -> Self:
        try:
            self.start_server()
            self.service.start()
            self.service.accept("notes")
            self.service.write({"tools.yaml": TOOLS, "gate.cedar": self.policies})
            self.service.apply()
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
