"""Policies by the thousand are checked in a process of their own: cedarpy and Python hold the interpreter.

Laws
* That process decides nothing. It leaves in the data folder what is to be remembered of the policies; the service
  compiles by itself afterwards, and only has less to do. One that is lost costs time.
* It is beside the service: it yields the processor, knows nothing of its environment, and ends with who asked.
"""

import asyncio
import json
import logging
import os
import pickle
import sys
from pathlib import Path
from typing import Final

from remit.api.services import Invalid
from remit.app.bundles.pace import Pace
from remit.app.bundles.running_bundle import prepare
from remit.app.bundles.serialization import packed
from remit.app.bundles.store import Bundles
from remit.control.resources import WorkspaceSource

TOLD_EVERY: Final = 50
_NICE: Final = 5
_LINE_BYTES_MAX: Final = 64 * 1024 * 1024
_LOG: Final = logging.getLogger(__name__)


async def check_apart(source: WorkspaceSource, folder: Path, pace: Pace) -> None:
    """Check `source` in another process, which remembers in `folder`. Raises `Invalid`."""
    try:
        process = await _start(folder)
        try:
            await _follow(process, await asyncio.to_thread(packed, source), pace)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    except (OSError, ValueError) as error:
        _LOG.warning("policies were not checked apart", extra={"error": type(error).__name__})


async def _start(folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "remit.app.bundles.compiler_process",
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        limit=_LINE_BYTES_MAX,
    )


async def _follow(process: asyncio.subprocess.Process, source: bytes, pace: Pace) -> None:
    """Hand it the source, hear what it tells. Raises `Invalid`; `OSError`, `ValueError` where it does not end well."""
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(source)
    process.stdin.write_eof()
    while line := await process.stdout.readline():
        match json.loads(line):
            case {"done": int(done), "total": int(total)}:
                pace.done, pace.total = done, total
            case {"problems": [*problems], "next": str(following)}:
                raise Invalid([str(problem) for problem in problems], following)
            case _:
                raise ValueError("a line that means nothing")
    if await process.wait() != 0:
        raise ChildProcessError(f"it ended with {process.returncode}")


def main(folder: Path) -> None:
    """Check the source on stdin and remember in `folder`; tell in lines of JSON."""
    os.nice(_NICE)
    # What the service that started us wrote into our pipe.
    source: object = pickle.load(sys.stdin.buffer)  # noqa: S301
    assert isinstance(source, WorkspaceSource)  # noqa: S101
    try:
        prepare(source, Bundles(folder), _report)
    except Invalid as invalid:
        print(json.dumps({"problems": list(invalid.problems), "next": invalid.next}), flush=True)


def _report(done: int, total: int) -> None:
    if done and done % TOLD_EVERY == 0:
        print(json.dumps({"done": done, "total": total}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
