"""`remit approvals stats`: figures of who decides, and a habit that becomes a rule once its replay was seen."""

import shutil
from pathlib import Path
from typing import Final

from proof.counting import Counting
from remit.escalate.attention import SAME_MIN
from tests.e2e.speaking import told
from tests.e2e.test_page import asked, visitor

AUDITOR: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: auditor}
spec: {owner: platform, purpose: counts again, groups: [clerks]}
"""


def test_a_habit_is_told_with_the_rule_it_could_be_and_the_rule_is_replayed_first(tmp_path: Path) -> None:
    with Counting(tmp_path / "stats", hold_s=0.1) as counting:
        service = counting.service
        service.write({"auditor.yaml": AUDITOR})
        service.apply()
        sam = visitor(counting)
        for at in range(SAME_MIN):
            ident, token = asked(counting, f"same-{at}")
            assert sam.decide(ident, "approve", sure="yes").status == 303
            assert not told(service, token, "counter", "add", {"id": f"same-{at}", "amount": 50})[0]
        refused, _ = asked(counting, "other", 51, agent="auditor")
        assert sam.decide(refused, "deny", reason="too-much").status == 303
        found = service.told("approvals", "stats")
        (sams,) = found["people"]
        assert (sams["person"], sams["route"], sams["asks"], sams["approved"]) == ("sam", "owner", 11, 10)
        assert 0 <= sams["hasty"] <= 11
        assert sams["edited"] == 0
        (rule,) = found["proposals"]
        assert (rule["agent"], rule["tool"], rule["asks"], rule["spared"]) == ("clerk", "counter/add", 10, 10)
        assert rule["held"] == ["amount"]
        shown = service.remit("approvals", "stats")
        assert "sam" in shown.stdout
        assert "91%" in shown.stdout
        assert "approved 10 times unedited: counter/add by clerk" in shown.stderr
        # The rule in a copy of the workspace: nothing changes but what the copy would have asked.
        copy = tmp_path / "copy"
        shutil.copytree(service.workspace, copy)
        (policy,) = rule["policies"]
        for file in copy.rglob("*.cedar"):
            text = file.read_text()
            if f'@id("{policy}")' in text:
                before, _, rest = text.partition(f'@id("{policy}")')
                own, _, after = rest.partition(";")
                file.write_text(f'{before}@id("{policy}"){own} {rule["cedar"]};{after}')
        replayed = service.remit("replay", "--ledger", "--workspace", str(service.workspace), "--against", str(copy))
        assert "asks per day" in replayed.stdout + replayed.stderr
        assert replayed.returncode in {0, 1}, replayed.stderr
