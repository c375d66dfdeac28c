"""Archives of corpora and packages, unpacked."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def unpack(archive: Path, into: Path) -> None:
    """Write the plain files of a tar `archive` below `into`; links and devices are left out.

    By hand, since not every Python 3.11 has tarfile's filters (3.11.4, PEP 706). Raises ValueError for a name that
    leads elsewhere, OSError, `tarfile.TarError`.
    """
    root = into.resolve()
    with tarfile.open(archive) as file:
        for member in file:
            path = (root / member.name).resolve()
            if not path.is_relative_to(root):
                raise ValueError(f"{archive.name} holds {member.name!r}, which lies outside of it")
            content = file.extractfile(member) if member.isfile() else None
            if content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                with content, path.open("wb") as out:
                    shutil.copyfileobj(content, out)
