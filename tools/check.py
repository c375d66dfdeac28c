"""What `make check` runs: each step in turn, all of them also after a failure.

Usage: `python -m tools.check [STEP...]`. Exit code 0 when every step passed, 1 when one failed, 2 for a step that
does not exist. Nothing is changed: `ruff format` and `ruff check --fix` are for the one who writes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = Path(sys.executable).parent
STEPS: Final[dict[str, tuple[str, ...]]] = {
    "format": ("ruff", "format", "--check", "--quiet", "."),
    "lint": ("ruff", "check", "--quiet", "."),
    "types": ("basedpyright",),
    "rings": ("lint-imports", "--no-logo", "--cache-dir", "build/import-linter"),
    "style": ("python", "-m", "tools.check_style"),
    # Only tests without fixtures and processes count: what they do not reach is not held by a fast test.
    "coverage": (
        *("python", "-m", "pytest", "tests/core", "-q", "-n", "auto"),
        *("--cov", "--cov-report=term-missing:skip-covered"),
    ),
}


def run(step: str) -> bool:
    """Run one step from the root folder, its output as it comes; whether it passed."""
    program, *arguments = STEPS[step]
    print(f"check: {step}: {program} {' '.join(arguments)}".rstrip(), flush=True)
    started = time.perf_counter()
    passed = subprocess.run([str(BIN / program), *arguments], cwd=ROOT, check=False).returncode == 0
    print(f"check: {step}: {'passed' if passed else 'FAILED'} in {time.perf_counter() - started:.1f} s", flush=True)
    return passed


def main(asked: Sequence[str]) -> int:
    """Run the steps asked for, or all of them."""
    if unknown := [step for step in asked if step not in STEPS]:
        print(f"no step {', '.join(unknown)}; there are {', '.join(STEPS)}", file=sys.stderr)
        return 2
    failed = [step for step in asked or STEPS if not run(step)]
    print(f"check: failed: {', '.join(failed)}" if failed else "check: all steps passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
