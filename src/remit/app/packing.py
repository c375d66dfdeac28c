"""`remit pack add`: policies that users start from, copied into a workspace to be read, changed and kept."""

from pathlib import Path
from typing import Final

import remit
from remit.app.failure import Exit, Failure
from remit.app.suggesting import write_new

_BUILT_IN: Final = Path(remit.__file__).parent / "packs"
_CHECKOUT: Final = Path(remit.__file__).parents[2] / "packs"
_CASES: Final = "cases"
"""What a pack is tested with stays at home."""


def folder() -> Path:
    """Where the packs are: inside the wheel, or beside `src` in a checkout."""
    return _BUILT_IN if _BUILT_IN.is_dir() else _CHECKOUT


def packs() -> tuple[str, ...]:
    """The names of the packs that there are."""
    return tuple(sorted(one.name for one in folder().iterdir() if one.is_dir())) if folder().is_dir() else ()


def pack_files(name: str) -> dict[str, str]:
    """The files of pack `name` as they go into a workspace, by path. Raises `Failure`."""
    if name not in packs():
        why = f"there are {', '.join(packs()) or 'none'}"
        raise Failure(f"no pack is called {name[:64]}", why=why, next="remit pack ls", exit=Exit.NOT_FOUND)
    root = folder() / name
    found = sorted(one for one in root.rglob("*") if one.is_file() and _CASES not in one.relative_to(root).parts)
    return {f"packs/{name}/{one.relative_to(root).as_posix()}": one.read_text("utf-8") for one in found}


def add(name: str, workspace: Path) -> list[Path]:
    """Copy pack `name` into `workspace`. Raises `Failure`, having written nothing, where one of its files exists."""
    return write_new(workspace, pack_files(name))
