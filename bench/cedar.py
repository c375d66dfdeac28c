"""`python -m bench.cedar [--corpus DIR] [--wrong]`: generated code and cedarpy over a folder of Cedar's own test cases.

DIR is the folder of a corpus (by default `../shared/cedar-corpus`, or where `REMIT_SHARED` says), unpacked or as
`cases.tar.gz`. A case is `NAME.json` beside its policies, entities and schema. Every request is
asked of both, and what they say is compared with what the case says: decision, determining ids, erroring ids.
At the end one opcode is made wrong, which must be found; `--wrong` makes it wrong from the start.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from proof.cedar import Policies, Said
from proof.unpacking import unpack
from proof.verdict import say
from remit.policy.compiled import generate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ARCHIVE: Final = "cases.tar.gz"
GENERATED_MIN: Final = 0.98


@dataclass(slots=True)
class Tally:
    """Requests counted: `generated` were decided by generated code, of those in cases that `validates`."""

    cases: int = 0
    requests: int = 0
    validates: int = 0
    generated: int = 0
    generated_s: float = 0.0
    cedar_s: float = 0.0
    wrong: list[str] = field(default_factory=list[str])


def default() -> Path:
    """Where the corpus is unless told otherwise."""
    shared = os.environ.get("REMIT_SHARED") or Path(__file__).resolve().parent.parent.parent / "shared"
    return Path(shared) / "cedar-corpus"


def case_files(folder: Path) -> list[Path]:
    """The cases below `folder`; their archive is unpacked first where only that is there."""
    found = sorted(path for path in folder.rglob("*.json") if not path.name.endswith(".entities.json"))
    if found or not (folder / ARCHIVE).exists():
        return found
    unpacked = Path(tempfile.mkdtemp(prefix="cedar-corpus-"))
    unpack(folder / ARCHIVE, unpacked)
    return case_files(unpacked)


def cases(folder: Path) -> Iterator[tuple[str, Policies, dict[str, Any]]]:
    """Name, policies and text of each case."""
    for path in case_files(folder):
        case = cast("dict[str, Any]", json.loads(path.read_text("utf-8")))
        policies, entities, schema = (
            (path.parent / Path(case[part]).name).read_text("utf-8") for part in ("policies", "entities", "schema")
        )
        yield path.stem, Policies(policies, entities, schema), case


def compare(folder: Path, *, most: int | None = None) -> Tally:
    """Every request of every case, or of the first `most`."""
    tally = Tally()
    for name, policies, case in cases(folder):
        if tally.cases == most:
            break
        tally.cases += 1
        for request in case["requests"]:
            tally.requests += 1
            tally.validates += case["shouldValidate"]
            asked = {part: request[part] for part in ("principal", "action", "resource", "context")}
            told = Said(request["decision"], frozenset(request["reason"]), frozenset(request["errors"]))
            begun = time.perf_counter()
            reference = policies.by_cedar(asked)
            turned = time.perf_counter()
            ours = policies.by_code(asked)
            tally.cedar_s += turned - begun
            tally.generated_s += time.perf_counter() - turned
            tally.generated += ours is not None and case["shouldValidate"]
            if not told == reference == (ours or reference):
                tally.wrong.append(f"{name} {request['description']}: code {ours}, cedarpy {reference}, case {told}")
    return tally


def main(argv: Sequence[str]) -> int:
    """Compare, print, and say whether all is equal."""
    parser = argparse.ArgumentParser(prog="bench.cedar")
    parser.add_argument("--corpus", type=Path, default=default())
    parser.add_argument("--wrong", action="store_true")
    options, _ = parser.parse_known_args(argv)
    goal = f"all equal; >= {GENERATED_MIN:.0%} of what validates by generated code; a wrong opcode is found"
    if not case_files(options.corpus):
        return say(f"no cases in {options.corpus}: name their folder with CORPUS=DIR", goal, passed=False)
    nodes = cast("dict[str, generate.Write]", generate.NODES)
    right = nodes["<="]
    if options.wrong:
        nodes["<="] = nodes["<"]
    tally = compare(options.corpus)
    for line in tally.wrong[:10]:
        print(line)
    nodes["<="] = nodes["<"]
    found = len(compare(options.corpus).wrong)
    nodes["<="] = right
    share = tally.generated / max(1, tally.validates)
    print(f"generated {tally.generated_s:.2f} s, cedarpy {tally.cedar_s:.2f} s, each with its own preparation")
    figure = (
        f"{tally.cases:,} cases, {tally.requests:,} requests, {len(tally.wrong)} differ; {share:.1%} of"
        f" {tally.validates:,} that validate by generated code; with `<=` as `<` {found} differ"
    )
    return say(figure, goal, passed=not tally.wrong and share >= GENERATED_MIN and found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
