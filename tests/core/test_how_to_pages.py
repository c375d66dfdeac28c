"""How-tos and the tutorial can be followed by copy and paste: what one writes is named, folders are a page's own."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
HOW_TOS: Final = sorted([*(ROOT / "docs" / "how-to").glob("*.md"), *(ROOT / "docs" / "tutorial").glob("*.md")])
FENCE: Final = re.compile(r"^```\w+ ([\w./-]*\.[\w./-]*)\n", re.MULTILINE)


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: page.stem)
def test_every_file_that_a_page_has_one_write_is_named_before_it(page: Path) -> None:
    """What stands beside the fence no reader sees."""
    text = page.read_text("utf-8")
    for fence in FENCE.finditer(text):
        before = text[: fence.start()].rstrip().rpartition("\n\n")[2]
        assert re.search(rf"`[^`\n]*{re.escape(fence[1])}`", before), f"{page.name}: {fence[1]}"


def test_each_page_that_makes_a_folder_in_a_clone_makes_its_own_of_files_that_are_there() -> None:
    made: dict[str, str] = {}
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
    for page in HOW_TOS:
        text = page.read_text("utf-8")
        for line in re.findall(r"^mkdir (.+)$", text, re.MULTILINE):
            for folder in line.split():
                assert made.setdefault(folder, page.name) == page.name, folder
        # A data folder holds keys: nobody is to commit one by mistake.
        for folder in (*made, *re.findall(r"^remit up .*--data (\S+)$", text, re.MULTILINE)):
            assert any(fnmatch(folder, pattern) for pattern in ignored), folder
        for line in re.findall(r"^cp (tests/.+) (\S+)$", text, re.MULTILINE):
            assert made[line[1]] == page.name
            assert [file for file in line[0].split() if not (ROOT / file).is_file()] == []
    assert len(made) >= 10


def test_json_lines_of_a_page_are_lines() -> None:
    text = (ROOT / "docs" / "how-to" / "replay-sessions.md").read_text("utf-8")
    blocks = re.findall(r"^```json \w+\.jsonl\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [len([json.loads(line) for line in block.splitlines()]) for block in blocks] == [2, 1]
