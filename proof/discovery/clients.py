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
from typing import Final

from proof.conformance.install import NODE
from proof.discovery.install import NODE_PACKAGES, InstallError, installed
from proof.verdict import say

SECRET: Final = "hush-0123456789abcdef"  # noqa: S105 - what must not be told
GOAL: Final = "every configured server found, names of variables and headers told, no secret's value"
CALL_S: Final = 120


@dataclass(frozen=True, slots=True)
class Configured:
    """One call of a client's command line, and what has to be found of it."""

    client: str
    program: str
    arguments: tuple[str, ...]
    server: str
    names: tuple[str, ...] = ()


CLAUDE: Final = "@anthropic-ai/claude-code/cli-wrapper.cjs"
"""What the package starts by where its install script was not run."""
GEMINI: Final = "@google/gemini-cli/bundle/gemini.js"
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
        for call in CALLS:
            if (failed := configure(call, home, project)) is not None:
                return say(failed, GOAL, passed=False)
        missed = sorted(missing(home, project))
        for one in missed:
            print(one)
        clients = len({call.client for call in CALLS})
        figure = f"{clients} clients installed from npm, {len(CALLS)} servers configured, {len(missed)} things missed"
        return say(figure, GOAL, passed=not missed)


def configure(call: Configured, home: Path, project: Path) -> str | None:
    """Let the client write its configuration; why it did not."""
    done = subprocess.run(
        [str(NODE), str(NODE_PACKAGES / call.program), *call.arguments],
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


def missing(home: Path, project: Path) -> set[str]:
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
    for call in CALLS:
        of = [one for one in document["sightings"] if one["subject"].startswith(f"agent/host:{call.client}/alice@")]
        if f"server/{call.server}" not in {edge["to"] for one in of for edge in one["edges"]}:
            found.add(f"{call.client} uses {call.server}")
        told = json.dumps([one["traits"] for one in of])
        found.update(f"{name} of {call.client}'s {call.server}" for name in call.names if name not in told)
    return found


if __name__ == "__main__":
    sys.exit(main())
