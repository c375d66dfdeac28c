"""What a command of a proof line says at its end: one JSON object on the last line of stdout.

`{"figure": "20 rounds, 0 lost", "goal": "0 lost", "pass": true}`. The exit code says the same: 0 for a pass, 1 for a
miss. Measurements that a proof line runs end with `return say(figure, goal, passed=…)`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside its goal, in words a person understands, and whether it is met; an empty goal is the line's."""

    figure: str
    goal: str
    passed: bool


def say(figure: str, goal: str, *, passed: bool) -> int:
    """Print the verdict as the last line of stdout; return the exit code that agrees with it."""
    print(json.dumps({"figure": figure, "goal": goal, "pass": passed}), flush=True)
    return 0 if passed else 1


def read(stdout: str, exit_code: int) -> Verdict:
    """Read the verdict that a command printed; raises ValueError when it is missing or its exit code disagrees."""
    lines = stdout.strip().splitlines()
    if not lines:
        raise ValueError(f"printed nothing, exit code {exit_code}")
    try:
        said: object = json.loads(lines[-1])
    except ValueError:
        said = None
    match said:
        case {"figure": str(figure), "goal": str(goal), "pass": bool(passed)}:
            if (exit_code == 0) != passed:
                raise ValueError(f"said pass={cast('dict[str, object]', said)['pass']}, exit code {exit_code}")
            return Verdict(figure, goal, passed)
        case _:
            raise ValueError(f"its last line is no verdict, exit code {exit_code}: {lines[-1][:200]}")
