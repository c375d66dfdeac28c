"""`remit pack add`: policies that users start from, copied into a workspace to be read, changed and kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import remit
from remit.adapters.workspace import shapes
from remit.adapters.workspace.documents import documents
from remit.adapters.workspace.files import YAML
from remit.adapters.workspace.folder import Folder
from remit.app.settings import no_workspace
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.workspace.tool_suggestions import has_workspace, refuse_existing, write_new
from remit.control.resources import ResourceKind
from remit.facts.canonical import Json
from remit.facts.catalog import PolicySource
from remit.policy.form import UnreadablePolicy, form_of, json_of
from remit.policy.parse import split

_BUILT_IN: Final = Path(remit.__file__).parent / "packs"
_CHECKOUT: Final = Path(remit.__file__).parents[2] / "packs"
_CASES: Final = "cases"
"""What a pack is tested with stays at home."""


def folder() -> Path:
    """Where the packs are: inside the wheel, or beside `src` in a checkout."""
    return _BUILT_IN if _BUILT_IN.is_dir() else _CHECKOUT


def packs() -> tuple[str, ...]:
    """The names of the packs that there are."""
    return tuple(sorted(path.name for path in folder().iterdir() if path.is_dir())) if folder().is_dir() else ()


def pack_files(name: str) -> dict[str, str]:
    """The files of pack `name` as they go into a workspace, by path. Raises `CommandFailure`."""
    if name not in packs():
        why = f"there are {', '.join(packs()) or 'none'}"
        raise CommandFailure(f"no pack is called {name[:64]}", why=why, next="remit pack ls", exit=Exit.NOT_FOUND)
    root = folder() / name
    paths = sorted(path for path in root.rglob("*") if path.is_file() and _CASES not in path.relative_to(root).parts)
    return {f"packs/{name}/{path.relative_to(root).as_posix()}": path.read_text("utf-8") for path in paths}


def add(name: str, workspace: Path) -> list[Path]:
    """Copy pack `name` into `workspace`.

    Raises `CommandFailure`, having written nothing, where there is no workspace, where one of its files exists, and
    where the workspace declares already what the pack does: nothing may be declared twice.
    """
    texts = pack_files(name)
    if not has_workspace(workspace):
        raise no_workspace(workspace)
    refuse_existing(workspace, texts)
    declared = {(resource.kind, resource.name): resource.where for resource in Folder(workspace).load().resources}
    twice = [
        f"{kind} {declared_name} in {declared[kind, declared_name]}"
        for kind, declared_name in _declared(texts)
        if (kind, declared_name) in declared
    ]
    if twice:
        next_ = f"take those out there, then: remit pack add {name}; or add another pack: remit pack ls"
        what = f"the workspace {workspace} declares what pack {name} does"
        raise CommandFailure(what, why=", ".join(twice), next=next_, exit=Exit.INVALID)
    return write_new(workspace, texts)


@dataclass(frozen=True, slots=True)
class SecondCopies:
    """Policies of `file` in a workspace that say what policies of a pack do too: pairs of ids, its own and the pack's.

    `whole` is whether the file holds nothing else.
    """

    file: str
    pairs: tuple[tuple[str, str], ...]
    whole: bool


def second_copies(name: str, workspace: Path) -> Iterator[SecondCopies]:
    """What of `workspace` says what its pack `name` says, whatever it is called and gives as its reason."""
    sources = {source.path: [*_read(source)] for source in Folder(workspace).load().policies}
    inside = f"packs/{name}/"
    ours = [pair for file, policies in sources.items() if file.startswith(inside) for pair in policies]
    for file, policies in sources.items():
        if not file.startswith(inside):
            pairs = tuple((ident, own) for ident, says in policies for own, said in ours if said == says)
            if pairs:
                yield SecondCopies(file, pairs, whole=len(pairs) == len(policies))


def _read(source: PolicySource) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """The policies of a file: the id of each, and all that it says but for its annotations."""
    for statement in split(source)[0]:
        try:
            ident, form = form_of(statement).annotations.get("id", "one without an id"), json_of(statement)
        except UnreadablePolicy:
            ident, form = "one that cannot be read", {"text": statement.text}
        yield ident, {key: value for key, value in form.items() if key != "annotations"}


def _declared(texts: Mapping[str, str]) -> Iterator[tuple[ResourceKind, str]]:
    """What the YAML among `texts` declares."""
    for file, text in texts.items():
        if Path(file).suffix in YAML:
            resources = (shapes.resource(document, file)[0] for document in documents(text))
            yield from ((document.kind, document.name) for document in resources if document is not None)
