"""Archives are unpacked on every Python, and nothing is written beside the folder that was named."""

import io
import tarfile
from pathlib import Path

import pytest

from proof.unpacking import unpack


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for member, content in members:
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_files_come_out_in_their_folders_and_links_do_not(tmp_path: Path) -> None:
    link = tarfile.TarInfo("a/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    unpack(archive(tmp_path / "in.tar.gz", (tarfile.TarInfo("a/b.txt"), b"said"), (link, b"")), tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")] == ["a", "a/b.txt"]
    assert (tmp_path / "out" / "a" / "b.txt").read_bytes() == b"said"


@pytest.mark.parametrize("name", ["../beside", "/absolute", "a/../../beside"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "in.tar.gz", (tarfile.TarInfo(name), b"said"))
    with pytest.raises(ValueError, match="outside"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "beside").exists()
