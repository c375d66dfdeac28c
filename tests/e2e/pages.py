"""Pages of the docs, run: a command is `$ …`, and what stands under it is in what it said."""

import re
import shlex
import subprocess
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from proof.service import Service

PAGES_FOLDER: Final = Path(__file__).parents[2] / "docs" / "how-to"
YES_OR_NO: Final = frozenset({0, 1})

Command: TypeAlias = Callable[[Sequence[str]], str]
"""Runs the words of a command; what it said."""


def shown(expected: str, output: str) -> bool:
    """Whether a line of `output` is `expected`, in which `…` stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in expected.split("…"))
    return re.search(pattern, output) is not None


def said(done: "subprocess.CompletedProcess[str]", exits: Container[int] = YES_OR_NO) -> str:
    """What a command said that ended by one of `exits`."""
    output = done.stdout + done.stderr
    assert done.returncode in exits, f"{shlex.join(map(str, done.args))}: {done.returncode}\n{output}"
    return output


def command_of(service: Service, exits: Container[int] = YES_OR_NO, token: str | None = None) -> Command:
    """Runs `remit …` against `service`, as the admin unless `token` is given."""

    def command(words: Sequence[str]) -> str:
        assert words[0] == "remit", words
        return said(service.remit(*words[1:], token=token), exits)

    return command


def run_block(text: str, command: Command) -> list[str]:
    """What each command of a block said, in order; each line of the block that is none is in what the last one said."""
    outputs: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            outputs.append(command(shlex.split(line)[1:]))
        else:
            output = outputs[-1] if outputs else ""
            assert shown(line, output), f"{line!r} is not in\n{output}"
    return outputs
