"""The host as a source: configuration of MCP clients and coding agents, and running processes.

It opens the files that `discover.clients` names and no others, below the homes and projects it is given, and below the
projects that the clients' own files list.
"""

import asyncio
import os
import pwd
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.adapters.sources.files import FileNotTaken, read
from remit.discover import lenient
from remit.discover.client_configuration import read_configuration
from remit.discover.clients import CLIENTS, ClientProgram, File, FileFormat, PathRoot
from remit.discover.hosts import Provenance, from_configuration, from_processes
from remit.discover.processes import Process, recognise
from remit.discover.sighting import clipped
from remit.facts.canonical import Json
from remit.ports.source import SourceBatch, Trouble

JSON_BYTES_MAX: Final = 8 * 1024 * 1024
TOML_BYTES_MAX: Final = 1024 * 1024
PROJECTS_MAX: Final = 200
PROCESSES_MAX: Final = 20_000
_WORDS_BYTES_MAX: Final = 32 * 1024
_VARIABLES_BYTES_MAX: Final = 256 * 1024
_PATH_CHARS_MAX: Final = 4_000


@dataclass(frozen=True, slots=True)
class Home:
    """A user's home folder."""

    user: str
    path: Path


def own_home() -> Home:
    """The home of whoever runs this."""
    home = Path.home()
    return Home(_user(os.getuid()), home)


class HostSource:
    """One machine. Every file is read by itself: one that cannot be taken hides no other."""

    def __init__(
        self,
        machine: str,
        homes: Sequence[Home],
        now_ms: Callable[[], int],
        *,
        projects: Sequence[Path] = (),
        root: Path = Path("/"),
        proc: Path | None = Path("/proc"),
    ) -> None:
        """`root` is where machine-wide files hang; `proc` the system's account of processes, None for none."""
        self.name = f"host:{clipped(machine)}"
        self._machine = machine
        self._homes = tuple(homes)
        self._projects = tuple(projects)
        self._now_ms = now_ms
        self._root = root
        self._proc = proc

    async def look(self) -> AsyncIterator[SourceBatch]:
        """Each file in turn, then the processes."""
        for home in self._homes:
            projects = dict.fromkeys(self._projects)
            for client, file in _files(PathRoot.HOME):
                batch, listed = await asyncio.to_thread(self._file, client, file, home.path / file.path, home.user)
                projects.update(dict.fromkeys(listed))
                yield batch
            if len(projects) > PROJECTS_MAX:
                why = f"{len(projects)} projects are known there, and {PROJECTS_MAX} are looked into"
                yield SourceBatch(troubles=(Trouble("host/projects", clipped(str(home.path)), why),))
            for project in [path for path in projects if path != home.path][:PROJECTS_MAX]:
                for client, file in _files(PathRoot.PROJECT):
                    yield (await asyncio.to_thread(self._file, client, file, project / file.path, home.user))[0]
        for client, file in _files(PathRoot.MACHINE):
            path = self._root / file.path.lstrip("/")
            yield (await asyncio.to_thread(self._file, client, file, path, "root"))[0]
        if self._proc is not None:
            yield await asyncio.to_thread(self._running, self._proc)

    def _file(self, client: ClientProgram, file: File, path: Path, user: str) -> tuple[SourceBatch, Sequence[Path]]:
        """What one file says, and the projects that it lists."""
        bytes_max = TOML_BYTES_MAX if file.form is FileFormat.TOML else JSON_BYTES_MAX
        try:
            data = read(path, bytes_max, "config")
            if data is None:
                return SourceBatch(), ()
            text = lenient.decode(data)
            value = _value(text, file.form)
        except FileNotTaken as error:
            return SourceBatch(troubles=(error.trouble,)), ()
        except lenient.Unparsed as error:
            where = f"{path}:{error.line}" if error.line else str(path)
            return SourceBatch(troubles=(Trouble(error.code, clipped(where), error.why),)), ()
        configuration = read_configuration(value, file.layout, is_relay)
        heads = [keys[0] for keys in file.layout.servers]
        lines = lenient.lines_of(text, heads, (entry.name for entry in configuration.entries))
        provenance = Provenance(
            self._machine, user, str(path), self._now_ms(), self.name, min(lines.values(), default=0)
        )
        alone = file.root is PathRoot.HOME and not client.editor
        sightings = tuple(from_configuration(client, configuration, provenance, lines, alone=alone))
        troubles = tuple(
            Trouble(fault.code, clipped(f"{path}: {fault.name}" if fault.name else str(path)), fault.why)
            for fault in configuration.faults
        )
        return SourceBatch(sightings, troubles), tuple(_projects(value, file))

    def _running(self, proc: Path) -> SourceBatch:
        troubles: list[Trouble] = []
        try:
            numbers = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            return SourceBatch(troubles=(Trouble("host/processes", clipped(str(proc)), why),))
        if len(numbers) > PROCESSES_MAX:
            why = f"{len(numbers)} processes run, and {PROCESSES_MAX} are looked at"
            troubles.append(Trouble("host/processes", clipped(str(proc)), why))
        each = (_process(proc / str(pid), pid) for pid in numbers[:PROCESSES_MAX])
        processes = [process for process in each if process is not None]
        provenance = Provenance(self._machine, "", "processes", self._now_ms(), self.name)
        return SourceBatch(tuple(from_processes(recognise(processes), provenance)), tuple(troubles))


def is_relay(command: str) -> bool:
    """Whether `command` is the program `remit` of this very installation, whatever it is called there."""
    program = shutil.which(command)
    installed = Path(sys.executable).with_name("remit")
    return program is not None and installed.is_file() and Path(program).resolve() == installed.resolve()


def _files(root: PathRoot) -> Iterator[tuple[ClientProgram, File]]:
    return ((client, file) for client in CLIENTS for file in client.files if file.root is root)


def _value(text: str, form: FileFormat) -> Json:
    if form is FileFormat.TOML:
        return lenient.toml(text)
    return lenient.jsonc(text) if text.strip() else {}


def _projects(value: Json, file: File) -> Iterator[Path]:
    """Folders that a file lists as the client's projects."""
    for key in file.projects:
        if isinstance(value, Mapping):
            value = value.get(key)
    if file.projects and isinstance(value, Mapping):
        yield from (Path(name) for name in value if name.startswith("/") and len(name) <= _PATH_CHARS_MAX)


def _process(folder: Path, pid: int) -> Process | None:
    """What the system tells of one process; None for one that is gone, or has no command line, as the kernel's own."""
    try:
        owner = folder.stat().st_uid
        words = _head(folder / "cmdline", _WORDS_BYTES_MAX)
        status = _head(folder / "stat", 4_096)
    except OSError:
        return None
    command = tuple(word.decode("utf-8", "replace") for word in words.split(b"\0") if word)
    if not command:
        return None
    try:
        variables = _head(folder / "environ", _VARIABLES_BYTES_MAX)
    except OSError:
        # Another user's: its names stay unknown.
        variables = b""
    names = tuple(pair.partition(b"=")[0].decode("utf-8", "replace") for pair in variables.split(b"\0") if b"=" in pair)
    # The name of the program stands in parentheses and may hold anything.
    after = status.rpartition(b")")[2].split()
    parent = int(after[1]) if len(after) > 1 and after[1].isdigit() else 0
    return Process(pid, parent, _user(owner), command, names)


def _head(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as opened:
        return opened.read(bytes_max)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
