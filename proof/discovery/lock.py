"""`python -m proof.discovery.lock`: write the pins again, hashed and without addresses."""

from __future__ import annotations

import json
import sys
from typing import Any

from proof.conformance.install import NODE, NPM
from proof.conformance.lock import ADDRESSES
from proof.discovery.install import PINS
from tools.lock import PYTHON_LOWEST
from tools.setup_env import SetupError, run


def main() -> int:
    """Write both; 0, or 1 with the cause on stderr."""
    try:
        run(
            [
                *(str(NODE), str(NPM), "install", "--prefix", str(PINS), "--package-lock-only", "--ignore-scripts"),
                *("--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"),
            ],
            what="cannot lock the packages from npm",
            next_step="look at proof/discovery/pins/package.json",
        )
        path = PINS / "package-lock.json"
        lock: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text("utf-8"))
        for package in lock["packages"].values():
            for field in ADDRESSES:
                package.pop(field, None)
        path.write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")
        run(
            [
                *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-deps", "--generate-hashes"),
                *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
                *("--python-version", PYTHON_LOWEST, str(PINS / "pypi.in"), "-o", str(PINS / "pypi.txt")),
            ],
            what="cannot lock the wheels",
            next_step="look at proof/discovery/pins/pypi.in",
        )
    except SetupError as error:
        print(f"lock failed: {error.what}\n  why: {error.why}\n  next: {error.next_step}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
