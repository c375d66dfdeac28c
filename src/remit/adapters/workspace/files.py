"""The files of a workspace folder: found, read within limits, replaced atomically.

Laws: nothing outside the folder is read or written, whatever links say; what cannot be read is a
problem and never silence, since a file left out could hold a limit; a file is replaced whole and
durably or not at all.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.control.problems import SourceLocation, WorkspaceProblem

FILES_MAX: Final = 2_000
FILE_BYTES_MAX: Final = 1024 * 1024
LOCK_BYTES_MAX: Final = 64 * 1024 * 1024
TOTAL_BYTES_MAX: Final = 32 * 1024 * 1024
DEPTH_MAX: Final = 8
YAML: Final = frozenset({".yaml", ".yml"})
CEDAR: Final = ".cedar"
CASES: Final = (".cases.yaml", ".cases.yml")
"""How files end whose lists are cases; whatever else such a file holds is read as resources."""


class Unreadable(Exception):
    """A file that cannot be taken; `problem` says which and why."""

    def __init__(self, problem: WorkspaceProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text without a byte order mark; `bom` says whether there was one."""

    file: str
    text: str
    bom: bool


def workspace_files(root: Path, problems: list[WorkspaceProblem]) -> list[str]:
    """Paths of YAML and Cedar files below `root`, relative and sorted; hidden ones left out."""
    names: list[str] = []
    for folder, folders, files in os.walk(root, onerror=lambda e: problems.append(_walk(root, e))):
        current = Path(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(current.relative_to(root).parts) >= DEPTH_MAX and folders:
            where = SourceLocation(_relative(root, current / folders[0]))
            what = f"folders are nested deeper than {DEPTH_MAX}"
            problems.append(WorkspaceProblem("workspace/depth", where, what))
            folders.clear()
        for name in list(folders):
            if (current / name).is_symlink():
                folders.remove(name)
                problems.append(_linked_folder(_relative(root, current / name)))
        names.extend(
            _relative(root, current / name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in {*YAML, CEDAR}
        )
    if len(names) > FILES_MAX:
        what = f"the workspace holds {len(names)} files, more than {FILES_MAX}"
        problems.append(WorkspaceProblem("workspace/files", SourceLocation("."), what))
    return sorted(names)[:FILES_MAX]


def read(root: Path, file: str, bytes_max: int = FILE_BYTES_MAX) -> Text:
    """The UTF-8 text of `file` below `root`. Raises `Unreadable`."""
    data = read_bytes(root, file, bytes_max)
    bom = data.startswith(b"\xef\xbb\xbf")
    try:
        return Text(file, data[3 if bom else 0 :].decode("utf-8"), bom)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"the file is not UTF-8 text: byte 0x{data[error.start]:02x} on this line"
        next_ = "save it as UTF-8, or move it out of the workspace; then run: remit diff"
        raise Unreadable(WorkspaceProblem("file/encoding", SourceLocation(file, line), what, next=next_)) from error


def read_bytes(root: Path, file: str, bytes_max: int) -> bytes:
    """The bytes of a regular file that lies, links followed, inside `root`."""
    path = inside(root, file)
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as opened:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable(WorkspaceProblem("file/kind", SourceLocation(file), "this is not a regular file"))
            data = opened.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable(_os_problem(file, error)) from error
    if len(data) > bytes_max:
        what = f"the file is larger than {bytes_max} bytes"
        raise Unreadable(WorkspaceProblem("file/size", SourceLocation(file), what, "everything has a limit"))
    return data


def inside(root: Path, file: str) -> Path:
    """The real path of `file`, every link followed; refused where it leaves `root`."""
    try:
        real, base = (root / file).resolve(strict=True), root.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        # Python 3.11 and 3.12 tell a loop of links by RuntimeError.
        os_error = error if isinstance(error, OSError) else OSError(errno.ELOOP, "loop of links")
        raise Unreadable(_os_problem(file, os_error)) from error
    if not real.is_relative_to(base):
        what = "the file is a link out of the workspace"
        why = "what stands there is not under the workspace's protection"
        raise Unreadable(WorkspaceProblem("file/link", SourceLocation(file), what, why))
    return real


def replace(path: Path, data: bytes) -> None:
    """Make `data` the content of `path`: durable, keeping its mode. Raises `OSError`.

    `path` is real (see `inside`) or does not exist yet; on any failure the old content stays.
    """
    beside = path.with_name(f".{path.name}.new-{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    beside.unlink(missing_ok=True)
    handle = os.open(beside, flags, 0o644)
    try:
        with os.fdopen(handle, "wb") as opened:
            if path.exists():
                os.fchmod(handle, stat.S_IMODE(path.stat().st_mode))
            opened.write(data)
            opened.flush()
            os.fsync(handle)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _linked_folder(file: str) -> WorkspaceProblem:
    return WorkspaceProblem(
        "file/link",
        SourceLocation(file),
        "a folder that is a link is not read",
        "it could lead out of the workspace or in a circle",
        next="put the folder itself there, or remove the link; then run: remit diff",
    )


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _walk(root: Path, error: OSError) -> WorkspaceProblem:
    path = Path(str(error.filename or root))
    file = _relative(root, path) if path.is_relative_to(root) else "."
    return _os_problem(file, error)


def _os_problem(file: str, error: OSError) -> WorkspaceProblem:
    why = {
        errno.ELOOP: "its links lead in a circle",
        errno.ENOENT: "it leads nowhere",
        errno.EACCES: "permission denied",
    }.get(error.errno or 0, (error.strerror or "unknown error").lower())
    next_ = "make it readable, or move it out of the workspace; then run: remit diff"
    return WorkspaceProblem("file/read", SourceLocation(file), "the file cannot be read", why, next=next_)
