"""Two agents and a shared store over MCP, a restart between: what one poisoned is gated where another reads it."""

import json
from collections.abc import Callable, Iterator

import pytest

from proof.service import Service
from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.speaking import told


@pytest.fixture
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    with Noting(tmp_path_factory.mktemp("notes")) as made:
        yield made


def poison(noting: Noting, path: str) -> None:
    """The scout reads a page and keeps what it says, in a session of its own."""
    scout = noting.service.agent("scout")
    _, page = told(noting.service, scout, "notes", "fetch", {"url": "https://evil.example/"})
    assert told(noting.service, scout, "notes", "save", {"path": path, "text": page}) == (False, "kept")


def gated(noting: Noting, token: str) -> bool:
    """Whether a mail waits for a person; else it left."""
    before = len(noting.sent)
    failed, text = told(noting.service, token, "notes", "send", {"to": "boss@shop.example", "text": "hello"})
    assert len(noting.sent) == before + (not failed)
    assert not failed or "approv" in text
    return failed


def restarted(service: Service) -> None:
    service.stop()
    service.start()


def killed(service: Service) -> None:
    service.kill()
    service.start()


@pytest.mark.parametrize("again", [restarted, killed], ids=["restarted", "killed"])
def test_poison_written_by_one_and_read_by_another_after_a_restart_is_gated_there(
    noting: Noting, again: Callable[[Service], None]
) -> None:
    poison(noting, "./Plans//Today.md")
    again(noting.service)
    clerk = noting.service.mint("agent", "clerk")
    assert told(noting.service, clerk["token"], "notes", "load", {"path": "plans/other.md"}) == (False, "")
    assert not gated(noting, clerk["token"])
    _, text = told(noting.service, clerk["token"], "notes", "load", {"path": "/plans/x/../TODAY.md"})
    assert "mallory" in text
    assert gated(noting, clerk["token"])
    shown = noting.service.told("sessions", "show", clerk["sid"])
    assert shown["labels"] == ["untrusted", "untrusted:web"]
    assert noting.service.remit("ledger", "verify").returncode == 0


def test_a_read_without_a_key_has_the_labels_of_the_whole_store(noting: Noting) -> None:
    poison(noting, "deep/down/note.md")
    clerk = noting.service.agent("clerk")
    told(noting.service, clerk, "notes", "find", {"word": "nothing of the kind"})
    assert gated(noting, clerk)


def test_a_label_still_held_cannot_leave_the_catalog(noting: Noting) -> None:
    poison(noting, "note.md")
    service = noting.service
    service.write({"tools.yaml": TOOLS.replace('"untrusted:web"', '"untrusted"')})
    for command in (("apply",), ("delete", "tool", "notes/fetch")):
        done = service.remit(*command)
        assert done.returncode != 0, done.stdout
        assert "untrusted:web" in done.stderr
        assert "store notes" in done.stderr
        assert "session" in done.stderr
        assert "scout" in done.stderr
        assert "next:" in done.stderr
    for session in service.told("sessions", "ls"):
        service.told("sessions", "end", session["sid"])
    done = service.remit("apply")
    assert "store notes" in done.stderr
    assert "session" not in done.stderr.partition("next:")[0]
    bare = TOOLS.replace('"untrusted:web"', '"untrusted"').replace(", store: {key: path, access: write}", "")
    service.write({"tools.yaml": bare.replace(", store: {key: path}", "").replace(", store: {}", "")})
    service.apply()
    service.write({"tools.yaml": TOOLS.replace('"untrusted:web"', '"untrusted"')})
    done = service.remit("apply")
    assert done.returncode == 0, done.stderr
    checks = json.loads(service.remit("doctor", "-o", "json").stdout)
    assert any("untrusted:web" in json.dumps(check) and "notes" in json.dumps(check) for check in checks["checks"])
