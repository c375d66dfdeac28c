"""Attempts of which something may have decided that counts what others did."""

import pytest

from remit.app.assurance.replay import bundle_of
from remit.app.attack import forms
from remit.app.attack.run import AttackResult
from remit.assure.attack.attempts import attempts
from remit.assure.attack.carry_over import carried
from remit.assure.attack.results import AttemptResult, RecordedDecision, RecordedReason
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code
from tests.attacked import PERMIT, write

COUNTING = """\
apiVersion: remit.dev/v1alpha1
kind: Guarantee
metadata: {name: powers}
spec: {owner: ann, powers: {all_of: [{tools: [mail/vault]}, {tools: [mail/send]}]}}
---
apiVersion: remit.dev/v1alpha1
kind: Guarantee
metadata: {name: inside}
spec: {owner: ann, no_flow: {labels: [confidential], sinks: [external]}}
---
apiVersion: remit.dev/v1alpha1
kind: Guarantee
metadata: {name: slowly}
spec: {owner: ann, rate: {of: {tools: [mail/send]}, at_most: 5, within_s: 3600, over: session}}
---
apiVersion: remit.dev/v1alpha1
kind: Monitor
metadata: {name: looked}
spec: {op: once, of: [{tools: [mail/vault]}], over: fleet}
"""
ASKS = """
@id("once") forbid (principal, action == Remit::Action::"mail___inbox", resource) when { context.past.looked };
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    workspace = write(tmp_path_factory.mktemp("counting"), PERMIT + ASKS)
    (workspace / "counting.yaml").write_text(COUNTING, "utf-8")
    return bundle_of(workspace)


@pytest.mark.parametrize(
    ("tool", "code", "where", "by"),
    [
        ("mail/send", Code.GUARANTEE, "guarantee/powers", ("guarantee/powers",)),
        ("mail/send", Code.GUARANTEE, "guarantee/inside", ()),
        ("mail/send", Code.GUARANTEE, "guarantee/slowly", ()),
        ("mail/send", Code.APPROVAL_TOO_OFTEN, None, ("limits on asking",)),
        ("mail/send", Code.APPROVAL_TOO_MANY, None, ()),
        ("mail/send", Code.BUDGET_SPENT, None, ()),
        ("mail/inbox", Code.POLICY, None, ("monitor/looked",)),
        ("mail/none", Code.UNKNOWN_TOOL, None, ()),
    ],
)
def test_what_counts_over_all_sessions_is_told(
    bundle: Bundle, tool: str, code: Code, where: str | None, by: tuple[str, ...]
) -> None:
    attempt = attempts(bundle)[0]
    decided = RecordedDecision("r-1.1", tool, "deny", (RecordedReason(code, "because", where=where),))
    came = AttemptResult(attempt, stopped=True, last_answer="200 no", evidence=(decided,), noticed_s=None)
    assert carried(bundle, [came]) == ({attempt.ident: by} if by else {})
    told = list(forms.carried(AttackResult(bundle, None, (came,), (), 0, 0, 1.0)))
    assert len(told) == len(by)
    assert all(line.startswith(by) and attempt.ident in line and "--only ID" in line for line in told)
