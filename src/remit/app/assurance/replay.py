"""`remit replay`: recorded sessions from a file through a workspace, in order, on as many cores as pay.

A worker process compiles the workspace for itself, since a bundle lives where it was made. Lines come out in the
order of the recording however many work on them, so that the same input gives the same bytes.
"""

import gzip
import os
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Final, cast

import orjson

from remit.adapters.system import settle_collector
from remit.adapters.workspace.folder import Folder
from remit.api.services import Invalid
from remit.app.bundles.running_bundle import prepare
from remit.app.settings import no_workspace
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.approvals import Approvals, approved
from remit.assure.recording import LINE_BYTES_MAX, MalformedSession, RecordedSession, recorded
from remit.assure.replay import Cast, replay
from remit.escalate.grants import GrantScope
from remit.policy.bundle import Bundle

CHUNK: Final = 16
PARALLEL_FROM_BYTES: Final = 4 * 1024 * 1024
"""Below this much text one process is done before another has started."""
TEXT_BYTES_MAX: Final = 16 * 1024 * 1024 * 1024
"""Text of one recording, unpacked: what is longer comes in several files."""
STDIN: Final = Path("-")
BLANK_BYTES_MAX: Final = 1024 * 1024
"""Of that, lines that hold nothing: a small compressed file can hold any number of them."""

Numbered = tuple[int, bytes]
"""A line with its number, from 1."""


@dataclass(frozen=True, slots=True)
class MalformedLine:
    """Line `number` holds no recorded session."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class ReplayedSession:
    """What came of one line: `calls` verdicts as lines of JSON."""

    calls: int
    output: bytes


def bundle_of(workspace: Path) -> Bundle:
    """The bundle that `workspace` compiles to, with every tool as it is in the lock. Raises `CommandFailure`."""
    source = Folder(workspace).load()
    if not (source.resources or source.policies or source.problems):
        raise no_workspace(workspace)
    try:
        return prepare(source).bundle
    except Invalid as error:
        raise CommandFailure(
            f"the workspace {workspace} does not validate",
            why="\n        ".join(error.problems),
            next=error.next,
            exit=Exit.INVALID,
        ) from error


def cast_of(bundle: Bundle, agent: str | None, user: str | None) -> Cast:
    """Who stands for agents that the workspace does not know: `agent`, else its only one."""
    agents, users = bundle.catalog.agents, bundle.catalog.users
    for name, declared, noun in ((agent, agents, "agent"), (user, users, "user")):
        if name is not None and name not in declared:
            raise CommandFailure(
                f"the workspace has no {noun} named {name}",
                why=f"it has {', '.join(sorted(declared)) or 'none'}",
                next=f"remit replay --{noun} NAME …",
                exit=Exit.NOT_FOUND,
            )
    return Cast(next(iter(agents)) if agent is None and len(agents) == 1 else agent, user)


@dataclass(frozen=True, slots=True)
class Setting:
    """Who is put in the place of whom, and what people granted meanwhile."""

    cast: Cast
    approved: Approvals


def approvals_in(file: Path) -> Approvals:
    """What the lines of `file` grant. Raises `CommandFailure`."""
    approvals: dict[tuple[str, str], GrantScope] = {}
    for number, text in _lines(file):
        try:
            call, scope = approved(text)
        except MalformedSession as error:
            raise _malformed_error(
                file, MalformedLine(number, str(error)), "approval: {session, call_id, scope}"
            ) from error
        if scope is not None:
            approvals[call] = scope
    return approvals


def replay_file(
    file: Path, workspace: Path, setting: Setting, bundle: Bundle, jobs: int = 0
) -> Iterator[ReplayedSession]:
    """What came of each line of `file`, in order. Raises `CommandFailure` at the first line that is none."""
    jobs = jobs or os.cpu_count() or 1
    if jobs > 1 and _size(file) >= PARALLEL_FROM_BYTES:
        results = _parallel(file, workspace, setting, jobs)
    else:
        results = (_replay_line(bundle, setting, line) for line in _lines(file))
    for result in results:
        if isinstance(result, MalformedLine):
            raise _malformed_error(file, result)
        yield result


def replay_lines(file: Path) -> Iterator[RecordedSession]:
    """The sessions of `file`, in order. Raises `CommandFailure` at the first line that is none."""
    for number, text in _lines(file):
        try:
            yield recorded(text)
        except MalformedSession as error:
            raise _malformed_error(file, MalformedLine(number, str(error))) from error


def _replay_line(bundle: Bundle, setting: Setting, line: Numbered) -> ReplayedSession | MalformedLine:
    number, text = line
    try:
        session = recorded(text)
    except MalformedSession as error:
        return MalformedLine(number, str(error))
    judged = replay(bundle, session, setting.cast, setting.approved)
    return ReplayedSession(
        len(judged), b"".join(orjson.dumps(decision.line(), option=orjson.OPT_APPEND_NEWLINE) for decision in judged)
    )


def _parallel(file: Path, workspace: Path, setting: Setting, jobs: int) -> Iterator[ReplayedSession | MalformedLine]:
    chunks = _chunks(_lines(file))
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin, initargs=(workspace, setting)) as pool:
        # A few chunks a worker: memory stays bounded however long the recording is.
        waiting = deque[Future[list[ReplayedSession | MalformedLine]] | CommandFailure]()

        def take(count: int) -> None:
            for chunk in islice(chunks, count):
                waiting.append(chunk if isinstance(chunk, CommandFailure) else pool.submit(_work, chunk))

        try:
            take(jobs * 4)
            while waiting:
                finished = waiting.popleft()
                if isinstance(finished, CommandFailure):
                    raise finished
                yield from finished.result()
                take(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_worker: tuple[Bundle, Setting] | None = None


def _begin(workspace: Path, setting: Setting) -> None:
    global _worker  # noqa: PLW0603 - a worker process is one bundle
    _worker = bundle_of(workspace), setting
    settle_collector()


def _work(lines: list[Numbered]) -> list[ReplayedSession | MalformedLine]:
    assert _worker is not None, "a worker begins before it works"  # noqa: S101
    bundle, setting = _worker
    return [_replay_line(bundle, setting, line) for line in lines]


def _chunks(lines: Iterator[Numbered]) -> Iterator[list[Numbered] | CommandFailure]:
    """`lines` by the chunk; what ends them comes in its turn, so that all before it is judged first."""
    chunk: list[Numbered] = []
    end: CommandFailure | None = None
    try:
        for line in lines:
            chunk.append(line)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    except CommandFailure as failure:
        end = failure
    if chunk:
        yield chunk
    if end is not None:
        yield end


def _lines(file: Path) -> Iterator[Numbered]:
    """The lines of `file` that are not blank. Raises `CommandFailure`."""
    number = total = blank = 0
    try:
        with _open(file) as stream:
            while line := stream.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > LINE_BYTES_MAX:
                    raise _malformed_error(file, MalformedLine(number, f"it is longer than {LINE_BYTES_MAX} bytes"))
                total += len(line)
                if total > TEXT_BYTES_MAX:
                    raise _malformed_error(
                        file, MalformedLine(number, f"the text takes more than {TEXT_BYTES_MAX} bytes: split it")
                    )
                if text := line.strip():
                    yield number, text
                    continue
                blank += len(line)
                if blank > BLANK_BYTES_MAX:
                    why = f"blank lines take more than {BLANK_BYTES_MAX} bytes: take them out"
                    raise _malformed_error(file, MalformedLine(number, why))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _malformed_error(
            file, MalformedLine(number + 1, f"the compressed text ends or breaks off here: {error}")
        ) from error
    except OSError as error:
        why = (error.strerror or str(error) or "unknown error").lower()
        raise CommandFailure(
            f"{file} cannot be read", why=why, next="name a recording: --sessions FILE", exit=Exit.NOT_FOUND
        ) from error


@contextmanager
def _open(file: Path) -> Generator[IO[bytes]]:
    """The text of `file`, gzipped or not; of standard input where it is `-`."""
    with file.open("rb") if file != STDIN else open(0, "rb", closefd=False) as stream:
        if stream.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=stream) as text:
                yield cast("IO[bytes]", text)
        else:
            yield stream


def _size(file: Path) -> int:
    """About how much text `file` holds."""
    try:
        size = file.stat().st_size
    except OSError:
        return 0
    return size * 8 if file.suffix == ".gz" else size


def _malformed_error(file: Path, malformed: MalformedLine, what: str = "recorded session") -> CommandFailure:
    return CommandFailure(
        f"{file}:{malformed.number} is no {what}",
        why=malformed.why,
        next="docs/how-to/replay-sessions.md shows the form of a line",
        exit=Exit.INVALID,
    )
