"""`python -m proof.conformance.lock`: write the pins of the suites and of what fetches the server again, hashed.

Versions stand in `suite/package.json` and `suite/fetch.in`. Neither lock names an address: a hash decides what is
accepted, wherever it comes from.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from proof.conformance.install import NODE, NPM, PINS
from proof.machine import ROOT
from tools.lock import PYTHON_LOWEST, addresses
from tools.setup_env import LOCKS, SetupError, run

ADDRESSES: Final = ("resolved", "funding")


def lock_suites() -> None:
    """Write `package-lock.json`; raises SetupError."""
    run(
        [
            *(str(NODE), str(NPM), "install", "--prefix", str(PINS), "--package-lock-only", "--ignore-scripts"),
            *("--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"),
        ],
        what="cannot lock the suites",
        next_step="look at the versions in proof/conformance/suite/package.json",
    )
    path = PINS / "package-lock.json"
    lock: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text("utf-8"))
    for package in lock["packages"].values():
        for field in ADDRESSES:
            package.pop(field, None)
    path.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


def lock_fetch() -> None:
    """Write `fetch.txt`, in the versions of the development lock where it has them; raises SetupError."""
    path = PINS / "fetch.txt"
    run(
        [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"),
            *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
            *("--python-version", PYTHON_LOWEST, "-c", str(LOCKS / "dev.txt")),
            *(str(PINS / "fetch.in"), "-o", str(path)),
        ],
        what=f"cannot lock {path.relative_to(ROOT)}",
        next_step="look at proof/conformance/suite/fetch.in",
    )
    if found := addresses(path.read_text("utf-8")):
        raise SetupError(f"{path.relative_to(ROOT)} names an address", "\n".join(found), "look at pip's settings")


def main() -> int:
    """Write both; 0, or 1 with the cause on stderr."""
    try:
        lock_suites()
        lock_fetch()
    except SetupError as error:
        print(f"lock failed: {error.what}\n  why: {error.why}\n  next: {error.next_step}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
