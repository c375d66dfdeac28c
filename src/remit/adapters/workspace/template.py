"""What `remit init` writes: a small commented workspace that loads, compiles and runs as it is."""

from pathlib import Path
from typing import Final

import remit
from remit.adapters.workspace import files
from remit.control.problems import SourceLocation, WorkspaceProblem
from remit.ports.workspace import WorkspaceRefused

SCHEMA: Final = ".remit/workspace.schema.json"
_TEMPLATE: Final = Path(remit.__file__).parent / "app" / "workspace" / "template"


def init_workspace(path: Path) -> list[Path]:
    """Write the template below `path`, made if it is not there; the files written, in order.

    Raises `WorkspaceRefused`, having written nothing, where a file of the same name exists or the
    folder holds a workspace already.
    """
    sources = sorted(file for file in _TEMPLATE.rglob("*") if file.is_file())
    names = [file.relative_to(_TEMPLATE).as_posix() for file in sources]
    _refuse_existing(path, [*names, SCHEMA])
    texts = {name: file.read_bytes() for name, file in zip(names, sources, strict=True)}
    texts[SCHEMA] = _schema()
    written: list[Path] = []
    try:
        for name, data in texts.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            files.replace(path / name, data)
            written.append(path / name)
    except OSError as error:
        for file in written:
            file.unlink(missing_ok=True)
        why = (error.strerror or "unknown error").lower()
        what = f"no workspace could be written to {path}"
        next_ = "name a folder that you may write: remit init DIR"
        raise WorkspaceRefused(WorkspaceProblem("init/write", SourceLocation("."), what, why, next=next_)) from error
    return written


def _refuse_existing(path: Path, names: list[str]) -> None:
    problem: WorkspaceProblem | None = None
    if path.exists() and not path.is_dir():
        problem = _refusal(f"{path} is not a folder", "remit init DIR")
    elif existing := [name for name in names if (path / name).exists() or (path / name).is_symlink()]:
        what = f"{existing[0]} exists already in {path}"
        problem = _refusal(what, f"remit init ANOTHER-DIR, or run it: remit up --workspace {path}")
    elif path.is_dir() and (sources := files.workspace_files(path, [])):
        what = f"{path} holds a workspace already: {sources[0]}"
        problem = _refusal(what, f"remit init ANOTHER-DIR, or run it: remit up --workspace {path}")
    if problem:
        raise WorkspaceRefused(problem)


def _refusal(what: str, then: str) -> WorkspaceProblem:
    return WorkspaceProblem("init/exists", SourceLocation("."), what, "init overwrites nothing", next=then)


def _schema() -> bytes:
    from remit.adapters.workspace import schemas

    return schemas.files()[schemas.WORKSPACE].encode()
