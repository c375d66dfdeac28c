"""Commands that read a workspace say so where there is none, or where it is below."""

import subprocess
from pathlib import Path

import pytest

from proof.service import REMIT, environment


def remit(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [REMIT, *words], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ("chains",),
        ("attack", "--quick"),
        ("tools", "suggest"),
        ("pack", "add", "dataflow"),
        ("policy", "test"),
        ("up", "--port", "0"),
    ],
)
@pytest.mark.parametrize("accepted", [False, True])
def test_a_folder_beside_or_above_the_workspace_is_none(
    tmp_path: Path, words: tuple[str, ...], *, accepted: bool
) -> None:
    empty, above = tmp_path / "empty", tmp_path / "above"
    empty.mkdir()
    above.mkdir()
    made = remit("init", "shop", cwd=above)
    assert made.returncode == 0, made.stderr
    if accepted:
        (above / "shop" / "remit.lock").write_text("version: 1\n", "utf-8")
    before = sorted(tmp_path.rglob("*"))
    nothing = remit(*words, cwd=empty)
    assert (nothing.returncode, nothing.stdout) == (3, "")
    assert "there is no workspace in" in nothing.stderr
    assert "next: remit init" in nothing.stderr
    below = remit(*words, cwd=above)
    assert (below.returncode, below.stdout) == (3, "")
    assert "is no workspace" in below.stderr
    assert "--workspace shop" in below.stderr
    assert sorted(tmp_path.rglob("*")) == before, "nothing was written"


@pytest.mark.parametrize(("data", "where"), [("shop/../shop", "is the"), ("shop/data", "is in the")])
def test_a_data_folder_that_is_read_with_the_workspace_is_refused(tmp_path: Path, data: str, where: str) -> None:
    assert remit("init", "shop", cwd=tmp_path).returncode == 0
    before = sorted(tmp_path.rglob("*"))
    done = remit("up", "--workspace", "shop", "--data", data, "--port", "0", cwd=tmp_path)
    assert (done.returncode, f"the data folder {where} workspace" in done.stderr) == (2, True), done.stderr
    assert f"remit up --data {tmp_path / 'shop-data'}, with" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before, "nothing was written"


def test_a_workspace_that_is_not_there_is_said_to_be_so_with_the_near_name(tmp_path: Path) -> None:
    assert remit("init", "shop", cwd=tmp_path).returncode == 0
    done = remit("up", "--workspace", "shpo", "--data", "data", "--port", "0", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == (
        f"error: there is no workspace at {tmp_path / 'shpo'}\n"
        "  why:  there is no such folder (did you mean 'shop'?)\n"
        f"  next: name it with --workspace, or make it: remit init {tmp_path / 'shpo'}\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["shop"], "nothing was written"


def test_a_command_of_another_control_plane_is_answered_with_ours(tmp_path: Path) -> None:
    for word, ours in (("version", "remit --version"), ("status", "remit doctor"), ("plan", "remit diff")):
        done = remit(word, "--all", cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: No such command '{word}'.\n  next: {ours}"), done.stderr
