"""Which folders a governed tool is given that hold what governs it, or lie in it.

A tool that writes where the workspace is writes policies; one that reads the data folder reads keys. What a program
opens without being given it is not seen here: that is what another user of the machine is for.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from remit.facts.catalog import Stdio

_PARTS: Final = re.compile(r"[=,:;]|file://")
"""What parts the folders of one word: `--root=/srv/a`, `/srv/a:/srv/b`, `file:///srv`."""


def reachable_folders(transport: Stdio, home: Path, folders: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Each folder that a server is given, with that of `folders` which it holds or lies in; `home` is the server's own.

    Links are followed: what counts is where a folder is, not what it is called.
    """
    home = home.resolve()
    for folder in dict.fromkeys(_folders_named(transport, home)):
        if folder.is_relative_to(home):
            continue
        for own in folders:
            place = own.resolve()
            if place.is_relative_to(folder) or folder.is_relative_to(place):
                yield folder, own


def _folders_named(transport: Stdio, home: Path) -> Iterator[Path]:
    """The folders that its arguments, variables and working folder name."""
    cwd = home if transport.cwd is None else Path(transport.cwd)
    yield cwd.resolve()
    words = [*transport.command[1:], *(text for text in transport.env.values() if isinstance(text, str))]
    for word in words:
        for text in {word, *_PARTS.split(word)}:
            if not (text in {".", ".."} or "/" in text):
                continue
            try:
                folder = (cwd / text).resolve()
                if folder.is_dir():
                    yield folder
            except (OSError, ValueError):  # too long for a name, or no name at all
                continue
