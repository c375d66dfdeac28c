"""The service is killed between claim and outcome: what its tool knows by a key is asked again, all else never."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from proof.counting import GATE, POLICIES, RESOURCES, until_listens
from proof.service import Service, environment, free_port
from tests.e2e.speaking import told
from tests.eventually import WITHIN_S, awaited

PAYER: Final = Path(__file__).parents[1] / "upstreams" / "payer.py"
DELAY_S: Final = 3.0
TOOLS: Final = """\
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: counter/pay}
spec: {effect: irreversible, sink: internal, source: [], idempotent: {meta: shop.example/request-key}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: counter/give}
spec: {effect: irreversible, sink: internal, source: []}
"""
GATES: Final = GATE.replace("counter___add", "counter___pay") + GATE.replace("counter___add", "counter___give").replace(
    '@id("big-amounts")', '@id("big-gifts")'
)


class Paying:
    """The payer, a service that governs it, and what was paid."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.payer = subprocess.Popen(
            [sys.executable, PAYER, str(self.port), root, str(DELAY_S)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
        until_listens(self.payer, self.port, "the payer")
        self.service = Service(root)
        known = RESOURCES.replace("PORT", str(self.port)).replace("HOLD_S", "0")
        resources = known[: known.index("---\napiVersion: remit.dev/v1alpha1\nkind: Tool")] + TOOLS
        self.service.write({"resources.yaml": resources, "policies.cedar": POLICIES})
        self.service.start()
        self.service.accept("counter")
        self.service.write({"gate.cedar": GATES})
        self.service.apply()

    @property
    def effects(self) -> list[list[str]]:
        path = self.root / "effects"
        return [line.split() for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def killed_in(self, tool: str, ident: str) -> tuple[str, str]:
        """Approve a call and kill the service once the tool acted: the approval, and the token to go on with."""
        service, arguments = self.service, {"id": ident, "amount": 50}
        token = service.agent("clerk", "ana")
        assert told(service, token, "counter", tool, arguments)[0]
        [approval] = [one["id"] for one in service.approvals() if one["tool"].endswith(tool)]
        assert service.remit("approvals", "approve", approval, token=service.user("sam")).returncode == 0
        calling = threading.Thread(target=self._call, args=(token, tool, arguments))
        calling.start()
        awaited(lambda: any(line[0] == ident for line in self.effects))
        service.kill()
        calling.join(60)
        service.start()
        return approval, token

    def _call(self, token: str, tool: str, arguments: dict[str, object]) -> None:
        try:
            told(self.service, token, "counter", tool, arguments)
        except Exception:  # noqa: BLE001 - the service is gone in mid-call
            return

    def close(self) -> None:
        self.service.stop()
        self.payer.kill()
        self.payer.wait(WITHIN_S)


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paying]:
    made = Paying(tmp_path_factory.mktemp("paying"))
    yield made
    made.close()


@pytest.mark.timeout(300)
def test_a_tool_that_knows_its_key_is_asked_once_more_under_the_same_one(paying: Paying) -> None:
    approval, token = paying.killed_in("pay", "rent")
    service = paying.service
    assert service.approval(approval)["state"] == "approved", "it may be claimed once more"
    assert told(service, token, "counter", "pay", {"id": "rent", "amount": 50}) == (False, "paid 50 already")
    assert service.approval(approval)["state"] == "succeeded"
    [[_, _, key]] = [line for line in paying.effects if line[0] == "rent"]
    assert len(key) == 32, "one effect, under a key that Remit drew"
    failed, said = told(service, token, "counter", "pay", {"id": "rent", "amount": 50})
    assert (failed, approval in said) == (True, False), "a third time asks people anew"
    assert service.remit("ledger", "verify").returncode == 0


@pytest.mark.timeout(300)
def test_what_no_key_tells_of_is_unknown_and_never_tried_again(paying: Paying) -> None:
    approval, token = paying.killed_in("give", "gift")
    service = paying.service
    assert service.approval(approval)["state"] == "unknown"
    failed, said = told(service, token, "counter", "give", {"id": "gift", "amount": 50})
    assert (failed, approval in said) == (True, False), "people are asked anew"
    assert [line[0] for line in paying.effects].count("gift") == 1
    assert service.remit("ledger", "verify").returncode == 0
