"""A secret from where its reference says: the environment, a file, a program.

Nothing that is read here is logged or put into an error; a program's stderr is not even read.
"""

import asyncio
import os
import signal
import stat
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, assert_never

from remit.facts.credential import FromCommand, FromEnv, FromFile, Origin, Secret
from remit.ports.credentials import CredentialRefused
from remit.ports.system import Clock

SECRET_BYTES_MAX: Final = 64 * 1024
COMMAND_S: Final = 10.0
ENDING_S: Final = 1.0
KEEP_S: Final = 300.0


class References:
    """Resolves references. What a file or a program gave is kept for `KEEP_S`."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        self._environ = environ
        self._clock = clock
        self._cache: dict[Origin, tuple[str, float]] = {}
        self._reading: dict[Origin, asyncio.Lock] = {}

    async def value(self, secret: Secret) -> str:
        """The value of `secret`, UTF-8 text without NUL. Raises `CredentialRefused`."""
        return secret.prefix + await self._origin(secret.origin)

    async def header(self, secret: Secret) -> str:
        """The value of `secret`, fit for a header. Raises `CredentialRefused`."""
        value = await self.value(secret)
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise CredentialRefused(f"what {_origin_text(secret.origin)} gives holds characters that no header may")
        return value

    async def changed(self, secret: Secret, before: str) -> bool:
        """Whether `secret`, read anew, is no longer `before`. Raises `CredentialRefused`."""
        self._cache.pop(secret.origin, None)
        return await self.value(secret) != before

    async def _origin(self, origin: Origin) -> str:
        if isinstance(origin, FromEnv):
            value = self._environ.get(origin.name)
            if not value:
                raise CredentialRefused(
                    f"{_origin_text(origin)} is not set; set it for the service, then start it: remit up"
                )
            return value
        async with self._reading.setdefault(origin, asyncio.Lock()):
            cached = self._cache.get(origin)
            now_s = self._clock.monotonic_s()
            if cached is not None and now_s - cached[1] < KEEP_S:
                return cached[0]
            text = _text(origin, await self._read(origin))
            self._cache[origin] = (text, now_s)
            return text

    async def _read(self, origin: FromFile | FromCommand) -> bytes:
        match origin:
            case FromFile(path):
                try:
                    return await asyncio.to_thread(_file, Path(path))
                except OSError as error:
                    why = error.strerror or "it is no regular file"
                    raise CredentialRefused(f"{_origin_text(origin)} cannot be read: {why}") from None
            case FromCommand():
                return await _output_of(origin)
            case _:
                assert_never(origin)


def _file(path: Path) -> bytes:
    # A pipe or a device would block, or never end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError
        return file.read(SECRET_BYTES_MAX + 1)


class _Output(asyncio.SubprocessProtocol):
    """What a program prints, until it and its output have ended or there is too much of it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.over = asyncio.Event()
        self.gone = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        self.data += data[: SECRET_BYTES_MAX + 1 - len(self.data)]
        if len(self.data) > SECRET_BYTES_MAX:
            self.over.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.over.set()
        self.gone.set()


async def _output_of(origin: FromCommand) -> bytes:
    output = _Output()
    try:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: output,
            *origin.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise CredentialRefused(f"{_origin_text(origin)} cannot be started: {error.strerror}") from None
    pid = transport.get_pid()
    try:
        async with asyncio.timeout(COMMAND_S):
            await output.over.wait()
    except TimeoutError:
        raise CredentialRefused(f"{_origin_text(origin)} took longer than {COMMAND_S:g} s") from None
    finally:
        code = transport.get_returncode()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with suppress(TimeoutError):  # one that left its group may hold the pipe
            await asyncio.wait_for(output.gone.wait(), ENDING_S)
        transport.close()
    if code and len(output.data) <= SECRET_BYTES_MAX:
        raise CredentialRefused(f"{_origin_text(origin)} failed with exit code {code}; run it yourself to see why")
    return bytes(output.data)


def _text(origin: Origin, data: bytes) -> str:
    if len(data) > SECRET_BYTES_MAX:
        raise CredentialRefused(f"{_origin_text(origin)} gives more than {SECRET_BYTES_MAX} bytes")
    try:
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise CredentialRefused(f"{_origin_text(origin)} gives something that is no UTF-8 text") from None
    if not text or "\0" in text:
        raise CredentialRefused(
            f"{_origin_text(origin)} gives nothing" if not text else f"{_origin_text(origin)} gives a NUL"
        )
    return text


def _origin_text(origin: Origin) -> str:
    match origin:
        case FromEnv(name):
            return f"the environment variable {name}"
        case FromFile(path):
            return f"the file {path}"
        case FromCommand(argv):
            return f"the command {argv[0]}"
        case _:
            assert_never(origin)
