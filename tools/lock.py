"""Write `requirements/*.txt` from `pyproject.toml`: every file hashed, for every platform, with no address.

Usage: `python -m tools.lock [--upgrade]`, with the uv of `.venv` or of PATH. The locks name no package index,
so that they hold wherever the packages come from; a hash decides what is accepted.
"""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING, Final

from tools.setup_env import BIN, LOCKS, SetupError, run, say

if TYPE_CHECKING:
    from collections.abc import Sequence

PYTHON_LOWEST: Final = "3.11"
SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "uv.txt": ("--group", "uv"),
    "run.txt": ("pyproject.toml", "--extra", "demo", "--group", "setup", "-c", "requirements/uv.txt"),
    "dev.txt": (
        *("pyproject.toml", "--extra", "demo", "--group", "setup", "--group", "dev"),
        *("-c", "requirements/run.txt"),
    ),
}
"""What goes into each lock, in the order of writing: a later one keeps the versions of those before it."""
ADDRESS: Final = re.compile(r"^(?:\s*-(?!-hash=)|.*(?:://|\s@\s)).*$", re.MULTILINE)
"""An index, a find-links line, a direct reference: whatever ties a lock to one place."""


def addresses(text: str) -> list[str]:
    """Return the lines of a lock that hold an address, or an option other than a hash."""
    return [match.group().strip() for match in ADDRESS.finditer(text)]


def write(uv: str, name: str, options: Sequence[str]) -> None:
    """Write the lock `name`, keeping the versions that it has unless `options` upgrade; raises SetupError."""
    run(
        [
            *(uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header"),
            *("--no-emit-index-url", "--no-emit-find-links", "--python-version", PYTHON_LOWEST),
            *(*SOURCES[name], *options, "-o", str(LOCKS / name)),
        ],
        what=f"cannot lock requirements/{name}",
        next_step="look at the versions in pyproject.toml, then run `make lock` again",
    )


def main(options: Sequence[str]) -> int:
    """Write all locks; `options` go to `uv pip compile` (`--upgrade`). Return 0, or 1 with the cause on stderr."""
    uv = str(BIN / "uv") if (BIN / "uv").exists() else shutil.which("uv") or "uv"
    LOCKS.mkdir(exist_ok=True)
    try:
        for name in SOURCES:
            say(f"locking requirements/{name}")
            write(uv, name, options)
            if found := addresses((LOCKS / name).read_text()):
                raise SetupError(f"requirements/{name} names an address", "\n".join(found), "make lock")
    except SetupError as error:
        print(f"lock failed: {error.what}\n  why: {error.why}\n  next: {error.next_step}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
