"""The demo as `make run` leaves it: the story told, the service up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.child import child
from remit.app.demo import install

if TYPE_CHECKING:
    from collections.abc import Generator

REMIT: Final = Path(sys.executable).with_name("remit")


@dataclass(frozen=True)
class Demo:
    """Its address, the file of its admin's token, and the environment that it runs in."""

    process: subprocess.Popen[str]
    url: str
    token_file: Path
    env: dict[str, str]

    def interrupt(self) -> str:
        """End it as Ctrl-C does; what it says then."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read()
        assert self.process.wait(60) == 0
        return said


@contextmanager
def demo(folder: Path) -> Generator[Demo]:
    """It keeps what it writes below `folder`."""
    install.install(install.runnable_servers(), print)
    env = os.environ | {"TMPDIR": str(folder), "NO_COLOR": "1"}
    process = subprocess.Popen(
        [REMIT, "demo", "--port", "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    with child(process):
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if line.startswith("tokens: "):
                break
        address = re.search(r"Remit stays up at (\S+) until Ctrl-C", told)
        tokens = re.search(r"^tokens: (\S+)", told, re.MULTILINE)
        assert address is not None, told
        assert tokens is not None, told
        (token,) = Path(tokens[1]).glob("admin*")
        yield Demo(process, address[1], token, env)
