"""`python -m proof.discovery.repositories`: what `remit discover repo` finds in public code, against labels by hand.

A label is a kind, a file and a name. `labels/NAME.json` names a folder of the installed packages and, by file, what a
person found there by reading: agents, tools, models, prompts and MCP servers, and the frameworks that are used. A thing
without a literal name is labelled by the variable, function or class that holds it. Precision and recall are over all
labels together; every miss and every false find is printed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Final, cast

from proof.discovery.install import MADE, InstallError, installed
from proof.verdict import say
from remit.adapters.sources.repo import RepoSource

LABELS: Final = Path(__file__).parent / "labels"
PRECISION_MIN: Final = 0.95
RECALL_MIN: Final = 0.80
REPOSITORIES_MIN: Final = 10
GOAL: Final = f"≥ {REPOSITORIES_MIN} repositories, precision ≥ 95 %, recall ≥ 80 %"

Label = tuple[str, str, str]
"""Kind, file, name. A framework's file is empty."""


def main() -> int:
    """Compare every repository with its labels."""
    try:
        installed()
    except InstallError as error:
        return say(str(error), GOAL, passed=False)
    right = wrong = missed = 0
    names = sorted(path.stem for path in LABELS.glob("*.json"))
    for name in names:
        root, labels = labelled(name)
        found = asyncio.run(discovered(root))
        right, wrong, missed = right + len(found & labels), wrong + len(found - labels), missed + len(labels - found)
        print(f"{name}: {len(found & labels)} of {len(labels)} found, {len(found - labels)} that are none")
        print(
            "\n".join(f"  missed: {shown(one)}" for one in sorted(labels - found)), end="\n" if labels - found else ""
        )
        print(
            "\n".join(f"  no such: {shown(one)}" for one in sorted(found - labels)), end="\n" if found - labels else ""
        )
    kinds = Counter(kind for name in names for kind, _, _ in labelled(name)[1])
    print(", ".join(f"{count} {kind}s" for kind, count in sorted(kinds.items())))
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    figure = (
        f"{len(names)} repositories, {right + missed} labels: precision {precision:.1%}, recall {recall:.1%}, "
        f"{missed} missed"
    )
    passed = len(names) >= REPOSITORIES_MIN and precision >= PRECISION_MIN and recall >= RECALL_MIN
    return say(figure, GOAL, passed=passed)


def labelled(name: str) -> tuple[Path, set[Label]]:
    """The folder of a repository, and what a person found in it."""
    spec = json.loads((LABELS / f"{name}.json").read_text("utf-8"))
    labels = {("framework", "", one) for one in spec["frameworks"]}
    for file, kinds in spec["files"].items():
        labels |= {(kind, file, one) for kind, named in cast("dict[str, list[str]]", kinds).items() for one in named}
    return MADE / str(spec["root"]), labels


async def discovered(root: Path) -> set[Label]:
    """What discovery says of the same folder. Raises what it raises: a folder that is not there is no result."""
    found: set[Label] = set()
    async for batch in RepoSource(root, lambda: 0, "repo").look():
        for one in batch.sightings:
            kind, file = one.subject.kind.value, one.evidence.partition(":")[0].removeprefix("repo/")
            name = one.subject.name.rpartition("#")[2] if one.subject.space == "repo" else one.subject.name
            if one.evidence != "repo":
                found.add((kind, file, name))
            said = dict(one.traits).get("framework", "")
            found |= {("framework", "", framework) for framework in said.split(", ") if framework}
    return found


def shown(label: Label) -> str:
    """A label as it is printed."""
    kind, file, name = label
    return f"{kind} {name}" + (f" ({file})" if file else "")


if __name__ == "__main__":
    sys.exit(main())
