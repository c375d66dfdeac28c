"""`python -m proof.discovery.clients`: clients from npm configure themselves, and `remit discover host` finds it.

Each client's own command line writes its configuration into a scratch home. What is demanded of `discover host`: every
server, by its package or address, as used by that client of that user; every name of its environment and headers; and
no secret's value anywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.conformance.install import NODE
from proof.discovery.install import NODE_PACKAGES, InstallError, installed
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET: Final = "hush-0123456789abcdef"  # noqa: S105 - what must not be told
GOAL: Final = "every configured server found, names of variables and headers told, no secret's value"
CALL_S: Final = 120


@dataclass(frozen=True, slots=True)
class Configured:
    """One call of a client's command line, and what has to be found of it."""

    client: str
    program: str
    """What node runs; of no `.js` or `.cjs`, a program of the machine's own, as a pattern."""
    arguments: tuple[str, ...]
    server: str
    names: tuple[str, ...] = ()


CLAUDE: Final = "@anthropic-ai/claude-code/cli-wrapper.cjs"
"""What the package starts by where its install script was not run."""
GEMINI: Final = "@google/gemini-cli/bundle/gemini.js"
CLINE: Final = "@cline/cli-*/bin/cline"
"""What the package `cline` starts: a program of the machine's own, pinned for Linux on x86-64, left out elsewhere."""
FILES: Final = ("npx", "-y", "@modelcontextprotocol/server-filesystem@2026.8.31", "/srv/data")
KEY: Final = f"API_KEY={SECRET}"
CALLS: Final = (
    Configured(
        "claude-code",
        CLAUDE,
        ("mcp", "add", "files", "--scope", "user", "--env", KEY, "--", *FILES),
        "npm:@modelcontextprotocol/server-filesystem",
        ("API_KEY", "/srv/data"),
    ),
    Configured(
        "claude-code",
        CLAUDE,
        (
            *(
                "mcp",
                "add",
                "--scope",
                "local",
                "--transport",
                "http",
                "sentry",
                f"https://mcp.example.com/{SECRET}/mcp",
            ),
            *("--header", f"Authorization: Bearer {SECRET}"),
        ),
        "https://mcp.example.com/*/mcp",
        ("Authorization",),
    ),
    Configured(
        "claude-code",
        CLAUDE,
        ("mcp", "add", "--scope", "project", "git", "--", "uvx", "mcp-server-git", "--repository", "/srv/repo"),
        "pypi:mcp-server-git",
        ("--repository",),
    ),
    Configured(
        "gemini-cli",
        GEMINI,
        ("mcp", "add", "-s", "user", "-e", f"TOKEN={SECRET}", "time", "uvx", "mcp-server-time"),
        "pypi:mcp-server-time",
        ("TOKEN",),
    ),
    Configured(
        "gemini-cli",
        GEMINI,
        ("mcp", "add", "-s", "project", "-t", "http", "-H", f"X-Key: {SECRET}", "web", "https://mcp.example.org/mcp"),
        "https://mcp.example.org/mcp",
        ("X-Key",),
    ),
    Configured(
        "cline",
        CLINE,
        ("mcp", "add", "--yes", "time", "--", "uvx", "mcp-server-time", "--local-timezone", "Etc/UTC"),
        "pypi:mcp-server-time",
        ("--local-timezone",),
    ),
    Configured(
        "cline",
        CLINE,
        (
            *("mcp", "add", "--yes", "--transport", "http", "--header", f"Authorization: Bearer {SECRET}"),
            *("web", f"https://mcp.example.net/{SECRET}/mcp"),
        ),
        "https://mcp.example.net/*/mcp",
        ("Authorization",),
    ),
)


def main() -> int:
    """Install, configure, look, and say what was found."""
    try:
        installed()
    except InstallError as error:
        return say(str(error), GOAL, passed=False)
    with tempfile.TemporaryDirectory(prefix="remit-clients-") as temporary:
        home = Path(temporary) / "alice"
        project = home / "project"
        project.mkdir(parents=True)
        calls = [call for call in CALLS if call.program != CLINE or _program(call) is not None]
        for call in calls:
            if (failed := configure(call, home, project)) is not None:
                return say(failed, GOAL, passed=False)
        missed = sorted(missing(calls, home, project))
        for one in missed:
            print(one)
        clients = len({call.client for call in calls})
        figure = f"{clients} clients installed from npm, {len(calls)} servers configured, {len(missed)} things missed"
        return say(figure, GOAL, passed=not missed)


def configure(call: Configured, home: Path, project: Path) -> str | None:
    """Let the client write its configuration; why it did not."""
    program = _program(call)
    if program is None:
        return f"{call.client} is not installed"
    done = subprocess.run(
        [*([str(NODE)] if program.suffix in {".js", ".cjs"} else []), str(program), *call.arguments],
        cwd=project,
        env={"HOME": str(home), "PATH": f"{NODE.parent}:{os.environ.get('PATH', '')}", "NO_COLOR": "1"},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CALL_S,
    )
    if done.returncode == 0:
        return None
    return f"{call.client} did not configure itself: {(done.stderr or done.stdout).replace(SECRET, '…')[-400:]}"


def _program(call: Configured) -> Path | None:
    return next(NODE_PACKAGES.glob(call.program), None)


def missing(calls: Sequence[Configured], home: Path, project: Path) -> set[str]:
    """What `remit discover host` should have told and did not, or did and should not have."""
    remit = Path(sys.executable).with_name("remit")
    command = (str(remit), "discover", "host", "--home", str(home), "--project", str(project), "-o", "json")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=CALL_S)
    if done.returncode != 0:
        return {f"discover host failed: {done.stderr[-400:]}"}
    document = json.loads(done.stdout)
    found = {f"{one['code']} at {one['where']}" for one in document["troubles"] if str(home) in one["where"]}
    if SECRET in done.stdout + done.stderr:
        found.add("a secret's value was told")
    for call in calls:
        of = [one for one in document["sightings"] if one["subject"].startswith(f"agent/host:{call.client}/alice@")]
        if f"server/{call.server}" not in {edge["to"] for one in of for edge in one["edges"]}:
            found.add(f"{call.client} uses {call.server}")
        told = json.dumps([one["traits"] for one in of])
        found.update(f"{name} of {call.client}'s {call.server}" for name in call.names if name not in told)
    return found


if __name__ == "__main__":
    sys.exit(main())
