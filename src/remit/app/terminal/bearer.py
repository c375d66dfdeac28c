"""The bearer of every request, from a file that its owner alone may read: of every command, and of `remit mcp`.

It is read anew whenever the file changes, so that a renewed token needs no restart. It goes into
one header and nowhere else: no message of ours shows any part of it.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final, Literal

from remit.app.terminal.failure import CommandFailure, Exit

BYTES_MAX: Final = 64 * 1024
_TOKEN: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 section 2.1; whatever else a file holds would not stay one header."""


class TokenFile:
    """The token of a `kind` of bearer, `agent` or `user`, in the file `path`."""

    def __init__(self, path: Path, kind: Literal["agent", "user"]) -> None:
        self._path = path
        self._kind = kind
        self._seen: tuple[int, ...] = ()
        self._token = ""

    def read(self) -> str:
        """The token as the file has it now. Raises `CommandFailure`, naming the file and what mends it."""
        try:
            # Without blocking: a pipe somebody put there must not hold up everything.
            opened = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._unusable(error.strerror or type(error).__name__, self._anew) from error
        try:
            status = os.fstat(opened)
            self._check(status)
            stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if stamp != self._seen:
                self._token, self._seen = self._in(os.read(opened, BYTES_MAX)), stamp
        finally:
            os.close(opened)
        return self._token

    @property
    def _anew(self) -> str:
        return f"remit token {self._kind} NAME --save {self._path}"

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._unusable("it is no regular file", "name the file that holds the token: --token-file FILE")
        if status.st_uid not in {os.geteuid(), 0}:
            raise self._unusable("it belongs to another user", f"make a file of your own: chown $USER {self._path}")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise self._unusable(f"others may open it too (mode {mode:04o})", f"chmod 600 {self._path}")

    def _in(self, data: bytes) -> str:
        token = data.strip()
        if len(data) >= BYTES_MAX or not is_token(token):
            raise self._unusable("it does not hold one token", self._anew)
        return token.decode("ascii")

    def _unusable(self, why: str, following: str) -> CommandFailure:
        return CommandFailure(f"cannot use the token file {self._path}", why=why, next=following, exit=Exit.USAGE)


def is_token(text: bytes) -> bool:
    """Whether `text` may stand in an authorization header."""
    return _TOKEN.fullmatch(text) is not None
