"""A repository as a source: Python and TypeScript by their syntax trees, and the MCP configuration that lies in it.

Nothing of it is run or imported. Links are not followed, so that nothing is read twice, endlessly or from elsewhere.
One file is held at a time, and of each is kept what it makes.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from remit.adapters.sources import python_code
from remit.adapters.sources.files import FileNotTaken, read, trouble_of
from remit.discover import lenient
from remit.discover.client_configuration import read_configuration
from remit.discover.clients import CLIENTS, File, FileFormat, PathRoot
from remit.discover.frameworks import framework_of
from remit.discover.ground import CodeComponent
from remit.discover.hosts import Provenance, server_of
from remit.discover.recognise import components_of
from remit.discover.repositories import Repository
from remit.discover.sighting import Kind, clipped
from remit.ports.source import SourceBatch, SourceFailed, Trouble

FILE_BYTES_MAX: Final = 512 * 1024
FILES_MAX: Final = 20_000
DEPTH_MAX: Final = 40
TROUBLES_MAX: Final = 1_000
_BATCH: Final = 500
_PYTHON: Final = frozenset({".py", ".pyi"})
_TYPESCRIPT: Final = frozenset({".ts", ".mts", ".cts"})
_JAVASCRIPT: Final = frozenset({".tsx", ".jsx", ".js", ".mjs", ".cjs"})
_LEFT_OUT: Final = frozenset({"node_modules", "site-packages", "__pycache__", "venv", "env", "vendor", "third_party"})
_BUILT: Final = frozenset({"dist", "build", "out"})


class RepoSource:
    """One folder of source code."""

    def __init__(self, folder: Path, now_ms: Callable[[], int], name: str = "") -> None:
        """The repository is called `name`, else as its folder is."""
        self._folder = folder
        self._called = name or folder.resolve().name or "repository"
        self.name = clipped(f"repo:{self._called}")
        self._now_ms = now_ms
        self._troubles = 0

    async def look(self) -> AsyncIterator[SourceBatch]:
        """Every file; then all that they make together, since one file uses what another makes."""
        if not self._folder.is_dir():
            raise SourceFailed(f"{clipped(str(self._folder))} is no folder", "name one that there is")
        repository = Repository(self._called)
        local = await asyncio.to_thread(self._local)
        count = 0
        for path in self._files():
            if isinstance(path, Trouble):
                yield self._report(path)
                continue
            count += 1
            if count > FILES_MAX:
                yield self._report(Trouble("repo/files", self._called, f"it holds more than {FILES_MAX} files of code"))
                break
            if trouble := await asyncio.to_thread(self._take, path, repository, local):
                yield self._report(trouble)
        for file in (file for client in CLIENTS for file in client.files if file.root is PathRoot.PROJECT):
            if trouble := await asyncio.to_thread(self._configuration, file, repository):
                yield self._report(trouble)
        sightings = repository.sightings(Provenance(self._called, "", "", self._now_ms(), self.name))
        while batch := tuple(islice(sightings, _BATCH)):
            yield SourceBatch(batch)

    def _report(self, trouble: Trouble) -> SourceBatch:
        self._troubles += 1
        if self._troubles == TROUBLES_MAX:
            return SourceBatch(troubles=(Trouble("repo/troubles", self._called, "there are more: they are not told"),))
        return SourceBatch(troubles=(trouble,) if self._troubles < TROUBLES_MAX else ())

    def _files(self) -> "Iterator[Path | Trouble]":
        """Files of code below the folder, by name."""
        troubles: list[Trouble] = []
        walk = os.walk(self._folder, onerror=lambda error: troubles.append(self._unreadable(error)))
        for folder, folders, files in walk:
            yield from troubles
            troubles.clear()
            here = Path(folder)
            if len(here.relative_to(self._folder).parts) >= DEPTH_MAX and folders:
                yield Trouble("repo/depth", self._display_path(here), f"folders are nested deeper than {DEPTH_MAX}")
                folders.clear()
            folders[:] = sorted(name for name in folders if not self._left_out(here, name, files))
            yield from (here / name for name in sorted(files) if _language(name) and not (here / name).is_symlink())
        yield from troubles

    def _left_out(self, folder: Path, name: str, beside: list[str]) -> bool:
        if name.startswith(".") or name in _LEFT_OUT or (folder / name).is_symlink():
            return True
        return (name in _BUILT and "tsconfig.json" in beside) or (folder / name / "pyvenv.cfg").is_file()

    def _local(self) -> frozenset[str]:
        """Names that code of the repository may import its own packages by."""
        try:
            roots = [self._folder, *([self._folder / "src"] if (self._folder / "src").is_dir() else [])]
            inside = [{entry.name.removesuffix(".py") for entry in root.iterdir()} for root in roots]
        except OSError:
            return frozenset()
        # What lies in a package is imported by the package's name.
        return frozenset(name for names in inside if "__init__" not in names for name in names)

    def _take(self, path: Path, repository: Repository, local: frozenset[str]) -> Trouble | None:
        """Read one file into `repository`; the trouble with it, if there is any."""
        try:
            data = read(path, FILE_BYTES_MAX, "repo")
        except FileNotTaken as error:
            return Trouble(error.trouble.code, self._display_path(path), error.trouble.why)
        if data is None:
            return None
        trouble: Trouble | None = None
        try:
            if path.suffix in _PYTHON:
                beside = {name.removesuffix(".py") for name in os.listdir(path.parent)}  # noqa: PTH208 - names alone
                # In a package, a name without dots is none of its own.
                known = local if "__init__" in beside else local | beside
                module = python_code.read(lenient.decode(data), path.stem, known)
            else:
                # A large library, for those alone who look at such files.
                from remit.adapters.sources import typescript_code

                module, line = typescript_code.read(data, path.stem, tsx=path.suffix in _JAVASCRIPT, local=local)
                if line:
                    trouble = self._syntax(path, line, "it is no TypeScript: what could be placed around it is read")
        except python_code.NoPython as error:
            return self._syntax(path, error.line, "it is no Python that this version reads")
        except lenient.Unparsed as error:
            return self._syntax(path, error.line, "it is no text in UTF-8")
        except (OSError, RecursionError):
            return self._syntax(path, 0, "it is nested too deep, or went away")
        repository.frameworks.update(framework for name in module.imports if (framework := framework_of(name)))
        items, whole = components_of(module)
        if not repository.take(path.relative_to(self._folder).as_posix(), items):
            return Trouble("repo/items", self._display_path(path), "the repository makes more than is kept")
        if not whole:
            return Trouble("repo/steps", self._display_path(path), "its lists lead further than they are followed")
        return trouble

    def _configuration(self, file: File, repository: Repository) -> Trouble | None:
        path = self._folder / file.path
        try:
            data = None if path.is_symlink() else read(path, FILE_BYTES_MAX, "config")
            if data is None:
                return None
            text = lenient.decode(data)
            configuration = read_configuration(
                lenient.toml(text) if file.form is FileFormat.TOML else lenient.jsonc(text or "{}"), file.layout
            )
        except FileNotTaken as error:
            return Trouble(error.trouble.code, self._display_path(path), error.trouble.why)
        except lenient.Unparsed as error:
            return Trouble(error.code, f"{self._display_path(path)}:{error.line}", error.why)
        heads = [keys[0] for keys in file.layout.servers]
        lines = lenient.lines_of(text, heads, (entry.name for entry in configuration.entries))
        at = {
            server_of(entry.launch, repository.name).name: lines.get(entry.name, 0)
            for entry in reversed(configuration.entries)
        }
        repository.take(file.path, [CodeComponent(Kind.SERVER, name, line) for name, line in reversed(at.items())])
        return None

    def _syntax(self, path: Path, line: int, why: str) -> Trouble:
        return Trouble("repo/syntax", f"{self._display_path(path)}:{line}" if line else self._display_path(path), why)

    def _display_path(self, path: Path) -> str:
        return clipped(f"{self._called}/{path.relative_to(self._folder).as_posix()}")

    def _unreadable(self, error: OSError) -> Trouble:
        trouble = trouble_of(Path(str(error.filename or self._folder)), error, "repo")
        return Trouble(
            trouble.code, self._display_path(Path(trouble.where)) if error.filename else self._called, trouble.why
        )


def _language(name: str) -> bool:
    if name.endswith((".d.ts", ".d.mts", ".d.cts", ".min.js")):
        return False
    return Path(name).suffix in _PYTHON | _TYPESCRIPT | _JAVASCRIPT
