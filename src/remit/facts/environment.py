"""Errors of the machine that Remit runs on, which are none of Remit's: what is the matter, and what mends it."""

import errno
from collections.abc import Mapping
from typing import Final, NamedTuple

_SPACE: Final = "free space on that disk (df -h), then again"
_ALLOW: Final = "let the user that runs Remit write there (ls -ld), then again"
_FILES: Final = "let more files be open (ulimit -n, systemd: LimitNOFILE), then again"
_AWAY: Final = "look what stands there (ls -ld), move it away, then again"
_MENDS: Final[Mapping[int, tuple[str, str]]] = {
    errno.ENOSPC: ("its disk is full", _SPACE),
    errno.EDQUOT: ("the quota on its disk is used up", _SPACE),
    errno.EFBIG: ("it would be larger than files may be", "let files be larger (ulimit -f), then again"),
    errno.EROFS: ("its disk can only be read", "have that disk mounted for writing, then again"),
    errno.EACCES: ("permission is denied", _ALLOW),
    errno.EPERM: ("permission is denied", _ALLOW),
    errno.EIO: ("its disk does not read or write it", "ask the system about that disk (dmesg), then again"),
    errno.EEXIST: ("something else has its name", _AWAY),
    errno.ENOTDIR: ("something that is no folder has the name of one", _AWAY),
    errno.EMFILE: ("no more files may be open", _FILES),
    errno.ENFILE: ("the machine has no more files to open", _FILES),
}


class EnvironmentFault(NamedTuple):
    """That `place`, a path where it is known, cannot be used, `why`, and what to do `next`."""

    place: str
    why: str
    next: str


def environment_of(error: OSError) -> EnvironmentFault | None:
    """What `error` says of the machine; None where it says something else, so that it may be a fault of ours."""
    fault = None if error.errno is None else _MENDS.get(error.errno)
    if fault is None:
        return None
    name: object = error.filename
    place = name.decode("utf-8", "replace") if isinstance(name, bytes) else name if isinstance(name, str) else ""
    return EnvironmentFault(place or "a file", *fault)
