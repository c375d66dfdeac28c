"""The process that looks at a change, as the service sees it: started, followed, ended."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from remit.api.services import Invalid
from remit.app.admission.request import AdmissionRequest
from remit.app.admission.results import CheckResult
from remit.app.bundles.serialization import packed

GRACE_S: Final = 60.0
"""How much longer than its terms say it may take: servers of an attack have to end."""
_LINE_BYTES_MAX: Final = 16 * 1024 * 1024
_END_S: Final = 20.0


class Lost(Exception):
    """The process ended without an answer; the text says how."""


class AdmissionResult(NamedTuple):
    """The digest of the bundle that was looked at, the fingerprint of its folder, and what came of each check."""

    digest: str
    fingerprint: str
    checks: tuple[CheckResult, ...]


async def look(request: AdmissionRequest, report: Callable[[str], None]) -> AdmissionResult:
    """What was seen; `report` hears which check is at work.

    Raises `Invalid` where there is no such bundle, and `Lost`. Cancelled, it ends the process and what that started.
    """
    process = await _start()
    try:
        async with asyncio.timeout(request.terms.seconds_max + GRACE_S):
            return await _follow(process, packed(request), report)
    except TimeoutError:
        raise Lost("it took longer than it may") from None
    except (OSError, ValueError, KeyError) as error:
        raise Lost(f"it broke off: {type(error).__name__}") from error
    finally:
        await _end(process)


async def _start() -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "remit.app.admission.work",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath, **environment},
        limit=_LINE_BYTES_MAX,
    )


async def _follow(
    process: asyncio.subprocess.Process, request: bytes, report: Callable[[str], None]
) -> AdmissionResult:
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(request)
    process.stdin.write_eof()
    digest, fingerprint, checks = "", "", list[CheckResult]()
    while line := await process.stdout.readline():
        message: dict[str, Any] = json.loads(line)
        match message:
            case {"at": str(check)}:
                report(check)
            case {"bundle": str(digest_read), "folder": str(folder_read)}:
                digest, fingerprint = digest_read, folder_read
            case {"came": _}:
                checks.append(CheckResult.of_json(message["came"]))
            case {"problems": [*problems], "next": str(following)}:
                raise Invalid([str(problem) for problem in problems], following)
            case _:
                raise ValueError("a line that means nothing")
    if await process.wait() != 0 or not digest:
        raise Lost(f"it ended with {process.returncode}")
    return AdmissionResult(digest, fingerprint, tuple(checks))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end what it started and itself; kill it where it does not."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
