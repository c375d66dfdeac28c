"""A service's own ledger, words and origins among it, judged again by the workspace that ran."""

import json
from pathlib import Path

import pytest

from remit.app.cli import run
from remit.app.terminal.failure import Exit
from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.test_words import BOSS, MALLORY, ROLES, SEND, STRANGERS, fetched, opened, send


def test_what_a_service_decided_with_words_and_origins_comes_out_as_recorded(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Noting(tmp_path / "notes", STRANGERS) as noting:
        service = noting.service
        service.write({"tools.yaml": TOOLS.replace(SEND, ROLES)})
        service.apply()
        _, token, _ = opened(service)
        assert send(noting, token, "nobody@shop.example")
        fetched(noting, token)
        assert send(noting, token, BOSS)
        assert not send(noting, token, MALLORY)
        capfd.readouterr()
        here = ["--data", str(service.data), "--workspace", str(service.workspace)]
        assert run(["replay", "--ledger", *here]) == Exit.OK, capfd.readouterr().err
        ran = service.told("bundle", "ls")[0]["bundle"]
        service.write({"later.cedar": '@id("later") forbid (principal, action, resource);'})
    out, err = capfd.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["verdict"] for one in found][-1] == "escalate"
    assert found[-1]["origins"]["$.to"] == "untrusted"
    assert any(one["origins"].get("$.to") == "grounded" for one in found)
    assert f"{len(found)} actions judged again, {len(found)} as recorded" in err
    assert run(["replay", "--ledger", *here]) == Exit.NOT_FOUND
    out, err = capfd.readouterr()
    assert out == ""
    assert f"nothing on this ledger was decided by the workspace {service.workspace}" in err
    assert f"{len(found)} by {ran}" in err
    assert "--workspace DIR" in err
