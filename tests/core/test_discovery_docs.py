"""docs/reference/discovery.md says of every client which files are opened and what is read, of every error its code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from remit.discover.clients import CLIENTS, ClientProgram, PathRoot

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/reference/discovery.md").read_text("utf-8")
BEGIN: Final = "<!-- clients: held by tests/core/test_discovery_docs.py -->"
END: Final = "<!-- end of clients -->"
PREFIX: Final = {PathRoot.HOME: "~/", PathRoot.PROJECT: "PROJECT/", PathRoot.MACHINE: ""}
CODE: Final = re.compile(r"`([^`]+)`")
RAISED: Final = re.compile(r'"((?:config|host|discover|repo|import)/[a-z]+)"')


def rows() -> dict[str, list[str]]:
    lines = PAGE.partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {title: rest for title, *rest in cells}


def read(client: ClientProgram) -> set[str]:
    layouts = [file.layout for file in client.files]
    paths = [path for one in layouts for path in (*one.servers, *one.models, *one.environments, *one.permissions)]
    return {".".join(path) for path in paths}


def test_every_client_has_its_row_with_version_source_files_and_what_is_read() -> None:
    table = rows()
    assert list(table) == [client.title for client in CLIENTS]
    for client in CLIENTS:
        version, source, files, recognised = table[client.title]
        assert version
        urls = source.split(", ")
        assert urls
        assert all(re.fullmatch(r"<https://[a-z0-9.-]+/[\w./-]+>", url) for url in urls), client.title
        assert CODE.findall(files) == [PREFIX[file.root] + file.path for file in client.files]
        assert set(CODE.findall(recognised)) == read(client)


def test_every_error_has_its_row() -> None:
    folders = (ROOT / "src/remit/discover", ROOT / "src/remit/adapters/sources", ROOT / "src/remit/app")
    texts = [file.read_text("utf-8") for folder in folders for file in sorted(folder.rglob("*.py"))]
    raised = {code for text in texts for code in RAISED.findall(text)}
    table = set(CODE.findall(PAGE.partition("## Bounds and errors")[2]))
    assert raised <= table
