"""Guarantees through the real gateway: what each kind denies, how they are shown, and what refuses a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bank_world import Banking
from tests.e2e.test_monitors import ask

TOOLS = """\
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: bank/identify}
spec: {effect: read, sink: none, source: ["confidential:id"]}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: bank/export}
spec: {effect: write, sink: external, source: []}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: bank/pay}
spec: {effect: write, sink: internal, source: []}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: bank/draft}
spec: {effect: write, sink: internal, source: []}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: bank/release}
spec: {effect: write, sink: internal, source: []}
"""


def guarantee(name: str, held: str, owner: str = "ana") -> str:
    spec = f"{{owner: {owner}, {held}}}"
    return f"---\napiVersion: remit.dev/v1alpha1\nkind: Guarantee\nmetadata: {{name: {name}}}\nspec: {spec}\n"


HELD = "".join(
    (
        guarantee("nothing-leaks", "no_flow: {labels: [confidential], sinks: [external]}"),
        guarantee("slow", "rate: {of: {tools: [bank/pay]}, at_most: 2, within_s: 600}"),
        guarantee(
            "apart",
            "separate: {duties: [{tools: [bank/draft]}, {tools: [bank/release]}], by: document, within_s: 600}",
        ),
    )
)
POWERS = guarantee(
    "powers", "powers: {all_of: [{tools: [bank/draft]}, {tools: [bank/release]}, {tools: [bank/export]}]}"
)
BOB = "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: bob}\nspec: {}\n"
THIRD = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: third}
spec: {owner: bank, purpose: comes later}
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Banking]:
    with Banking(tmp_path_factory.mktemp("held")) as running:
        running.service.write({"tools.yaml": TOOLS, "held.yaml": HELD})
        running.service.apply()
        yield running


def test_what_each_kind_denies(bank: Banking) -> None:
    clerk = bank.service.agent("clerk", "ana")
    assert ask(bank, clerk, "export", table="a")[0]
    assert ask(bank, clerk, "identify", person="bob")[0]
    passed, text = ask(bank, clerk, "export", table="b")
    assert not passed
    assert "the guarantee nothing-leaks, for which ana answers: what the session holds is confidential" in text
    assert ask(bank, clerk, "draft", document="d")[0]
    assert not ask(bank, bank.service.agent("clerk", "ana"), "release", document="d")[0]
    assert ask(bank, bank.service.agent("boss", "ana"), "release", document="d")[0]
    assert [line for line in bank.done if not line.startswith("pay")] == ["export a", "draft d", "release d"]


def test_a_guarantee_is_shown_with_state_and_evidence(bank: Banking) -> None:
    pays = [ask(bank, bank.service.agent(name, "ana"), "pay", to="eve")[0] for name in ("clerk", "boss", "clerk")]
    assert pays == [True, True, False]
    listed = {one["metadata"]["name"]: one["status"]["state"] for one in bank.service.told("get", "guarantees")}
    assert listed == {"apart": "held", "nothing-leaks": "held", "slow": "held"}
    status = bank.service.told("describe", "guarantee", "slow")["status"]
    assert (status["counted"], status["holds"], status["breaches"]) == (2, "rate", [])
    denied = bank.service.remit("why", status["denied"][0]).stdout
    assert "no more than 2 such calls within 600 s" in denied
    assert "guarantee/broken" in denied


def test_a_bundle_that_breaks_one_is_refused_until_its_owner_signs_it_off(tmp_path: Path) -> None:
    with Banking(tmp_path) as bank:
        service = bank.service
        service.write({"bob.yaml": BOB})
        assert service.remit("apply").returncode == 0
        service.write({"powers.yaml": POWERS})
        refused = service.remit("apply")
        assert refused.returncode == 3
        assert (
            "clerk may call bank/draft, bank/release, bank/export, which powers keeps apart and 1 more"
            in refused.stderr
        )
        found = re.search(r"ana may sign off: (sha256:[0-9a-f]{64})", refused.stderr)
        assert found is not None
        breach = found[1]
        # The admin's word is not the owner's, nor is that of another digest.
        assert service.remit("guarantees", "sign-off", "powers", breach, "--why", "x").returncode == 4
        service.remit("guarantees", "sign-off", "powers", "sha256:" + "0" * 64, "--why", "x", token=service.user("ana"))
        assert service.remit("apply").returncode == 3
        # It does not run yet: its owner is who the folder says, and what nobody declares is nobody's.
        other = service.remit("guarantees", "sign-off", "powers", breach, "--why", "x", token=service.user("bob"))
        assert (other.returncode, "as ana: remit guarantees sign-off powers" in other.stderr) == (4, True), other.stderr
        odd = service.remit("guarantees", "sign-off", "power", breach, "--why", "x", token=service.user("ana"))
        assert (odd.returncode, "remit get guarantees" in odd.stderr) == (5, True), odd.stderr
        assert service.remit("apply").returncode == 3
        signed = service.told(
            "guarantees", "sign-off", "powers", breach, "--why", "small bank", token=service.user("ana")
        )
        assert (signed["by"], signed["breach"]) == ("ana", breach)
        assert service.remit("apply").returncode == 0
        status = service.told("describe", "guarantee", "powers")["status"]
        assert status["state"] == "signed off"
        assert (status["signed_off"]["by"], status["signed_off"]["why"]) == ("ana", "small bank")
        # It is held all the same, and after a restart.
        clerk = service.agent("clerk", "ana")
        assert ask(bank, clerk, "draft", document="d")[0]
        assert ask(bank, clerk, "release", document="e")[0]
        service.stop()
        service.start()
        passed, text = ask(bank, service.agent("clerk", "ana"), "export", table="t")
        assert not passed
        assert "clerk would have used all 3 powers" in text
        assert ask(bank, service.agent("boss", "ana"), "export", table="t")[0]
        # A third agent is another breach.
        service.write({"more.yaml": THIRD})
        assert service.remit("apply").returncode == 3
        service.stop()
        with pytest.raises(AssertionError, match="breaks what it guarantees"):
            service.start()
        service.flags = ("--resume",)
        service.start()
        service.stop()
        service.flags = ()
        (service.workspace / "more.yaml").unlink()
        service.start()
