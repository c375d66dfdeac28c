"""The page of a grant tells each bound of what it would lift, and nothing that does not bound it."""

from remit.api.answers_grants import ConstraintAnswer, GrantAnswer
from remit.api.page.choices import Viewer, terms


def test_the_page_tells_the_constraints_and_the_measures_that_bound_a_grant() -> None:
    granted = GrantAnswer(
        id="", approval="r-1.1", terms="sha256:0", scope="tool", agents=["clerk"], user=None, sid=None,
        tool="shop/send",
        gates=["gate"], given="", by=[], expires="tomorrow", uses=0, uses_max=3, revoked_by=None, ended=None,
        values=['/to "ana"'], results=[], carried=[], measures={"recipients": "2"},
        where=[ConstraintAnswer(name="amount", bound="<=", value=150)],
    )  # fmt: skip
    page = "".join(map(str, terms(granted, Viewer("sam", "c"), "n", (), (200, 50))))
    held = page.partition("Held to")[2].partition("</ul>")[0]
    assert [said in held for said in ("/to", "amount&lt;=150", "recipients &lt;= 2")] == [True, True, True]
