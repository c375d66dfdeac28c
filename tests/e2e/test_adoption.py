"""An agent introduced over a real service: registered by a person, watched, reported on, held to policy."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from proof.counting import Counting, call
from tests.e2e.speaking import api

NEVER = """\
@id("never-above-1000")
@reason("no single amount above 1,000")
forbid (principal, action == Remit::Action::"counter___add", resource)
when { context.input has amount && context.input.amount > 1000 };
"""


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("adoption"), hold_s=0.1) as running:
        running.service.write({"never.cedar": NEVER})
        running.service.apply()
        yield running


def register(counting: Counting, name: str, *more: str) -> None:
    flags = ("--owner", "platform", "--purpose", "is new here", *more)
    counting.service.told("agents", "register", name, *flags)


def add(counting: Counting, name: str, ident: str, amount: int) -> Any:
    token = counting.service.agent(name, "ana")
    return asyncio.run(call(counting.service, token, "add", {"id": ident, "amount": amount}))


def report(counting: Counting, name: str, *more: str) -> Any:
    return counting.service.told("agents", "report", name, *more)


def events(counting: Counting, event: str, subject: str) -> list[str]:
    """Who did `event` to `subject`, in order."""
    items = api(counting.service, "GET", "/ledger/entries?latest=1000")["items"]
    bodies = [item["body"] for item in items if item["kind"] == "admin"]
    return [body["by"] for body in bodies if (body["event"], body["subject"]) == (event, subject)]


def mode(counting: Counting, name: str) -> str:
    return str(counting.service.told("describe", "agent", name)["spec"]["mode"])


def test_an_agent_is_introduced_from_the_first_look_to_the_last(counting: Counting) -> None:
    register(counting, "scout", "--group", "clerks", "--observe")
    assert mode(counting, "scout") == "observe"
    assert events(counting, "agent.registered", "scout") == ["admin"]
    for ident, amount in (("s1", 1), ("s2", 50), ("s3", 5000), ("s4", 60)):
        assert not add(counting, "scout", ident, amount).is_error
    assert {"s1", "s2", "s3", "s4"} <= set(counting.effects)
    told = report(counting, "scout")
    assert (told["calls"], told["would_deny"], told["would_ask"]) == (4, 1, 2)
    assert (told["mode"], told["complete"], told["changes"]) == ("observe", True, True)
    rows = {row["policy"]: row for row in told["policies"]}
    assert {policy: (row["would_deny"], row["would_ask"], row["now"]) for policy, row in rows.items()} == {
        "big-amounts": (1, 2, "escalate"),
        "never-above-1000": (1, 0, "deny"),
    }
    assert rows["never-above-1000"]["reason"] == "no single amount above 1,000"
    assert rows["never-above-1000"]["where"] == "never.cedar:1"
    assert rows["big-amounts"]["tools"] == ["counter/add"]
    [latest, _, earlier] = rows["big-amounts"]["examples"]
    why = counting.service.told("why", latest)
    assert (why["observed"], why["verdict"]) == ("escalate", "permit")
    assert why["action"]["arguments"]["id"] == "s4"
    assert counting.service.told("why", earlier)["action"]["arguments"]["id"] == "s2"
    done = counting.service.told("agents", "enforce", "scout")
    assert [change["text"] for change in done["changes"]] == ["change agent scout"]
    assert events(counting, "agent.enforced", "scout") == ["admin"]
    assert mode(counting, "scout") == "enforce"
    denied = add(counting, "scout", "s5", 5000)
    assert denied.is_error
    assert "no single amount above 1,000" in denied.content[0].text
    assert "s5" not in counting.effects
    again = counting.service.told("agents", "enforce", "scout")
    assert again["changes"] == []
    assert events(counting, "agent.enforced", "scout") == ["admin"], "what changes nothing is no decision"


def test_what_observing_let_through_is_never_shown_as_the_policies_permit(counting: Counting) -> None:
    service = counting.service
    register(counting, "watched", "--group", "clerks", "--observe")
    add(counting, "watched", "v1", 5000)
    [row] = [row for row in report(counting, "watched")["policies"] if row["policy"] == "never-above-1000"]
    said = "permit (observing; policy says deny)"
    assert service.remit("why", row["examples"][0]).stdout.startswith(f"{row['examples'][0]}  {said}  ")
    assert f"{said} watched for ana: call_tool counter/add: no single" in service.remit("logs", "--limit", "3").stdout
    asked = service.remit("can", "watched", "counter/add", '{"id": "v2", "amount": 5000}', "--user", "ana")
    assert asked.stdout.splitlines()[0] == said


def test_the_report_says_whether_a_change_was_enough(counting: Counting) -> None:
    service = counting.service
    register(counting, "stranger", "--observe")
    assert report(counting, "stranger")["changes"] is False
    assert service.remit("agents", "report", "stranger").returncode == 0
    add(counting, "stranger", "x1", 2)
    [row] = report(counting, "stranger")["policies"]
    assert (row["policy"], row["would_deny"], row["now"]) == (None, 1, "deny")
    assert row["reason"] == "no policy permits stranger to call counter/add"
    shown = service.remit("agents", "report", "stranger")
    assert shown.returncode == 1
    assert "(none permits it)" in shown.stdout
    assert "enforcing now would stop calls like these" in shown.stderr
    service.write(
        {"strangers.cedar": '@id("strangers") permit (principal == Remit::Agent::"stranger", action, resource);'}
    )
    service.apply()
    told = report(counting, "stranger")
    assert [row["now"] for row in told["policies"]] == ["permit"]
    assert told["changes"] is False
    assert "remit agents enforce stranger" in service.remit("agents", "report", "stranger").stderr
    assert report(counting, "stranger", "--since", "1s")["since"] > told["since"]


def test_enforcing_takes_nothing_else_of_the_folder_and_survives_a_restart(counting: Counting) -> None:
    service = counting.service
    register(counting, "waiting", "--group", "clerks", "--observe")
    file = service.workspace / "agents" / "waiting.yaml"
    file.write_text(file.read_text().replace("is new here", "is new here, it says") + "# a remark\n")
    service.write({"later.cedar": '@id("later") forbid (principal, action, resource);'})
    try:
        service.told("agents", "enforce", "waiting")
        assert (mode(counting, "waiting"), "mode: enforce" in file.read_text()) == ("enforce", True)
        assert file.read_text().endswith("# a remark\n")
        assert not add(counting, "waiting", "w1", 1).is_error, "what waits in the folder does not run"
        waits = [change["text"] for change in service.told("diff")["changes"]]
        assert waits == ["change agent waiting", "add policy later"] or set(waits) == {
            "change agent waiting",
            "add policy later",
        }
    finally:
        (service.workspace / "later.cedar").unlink()
    service.apply()
    service.stop()
    service.start()
    assert mode(counting, "waiting") == "enforce"
    assert service.told("diff")["changes"] == []


def test_an_owner_whom_nobody_declared_is_said_with_those_who_are(counting: Counting) -> None:
    for owner, known in (("anna", False), ("ana", True), ("owners", True)):
        done = counting.service.remit("agents", "register", f"of-{owner}", "--owner", owner, "--purpose", "x")
        assert done.returncode == 0, done.stderr
        said = f"warning: {owner} is to answer for of-{owner}, and no user or group is called so"
        assert (said in done.stderr) is not known
        told = f"there are ana, clerks, owners, sam; next: correct `owner` in agents/of-{owner}.yaml"
        assert (told in done.stderr) is not known


def test_what_cannot_be_done_says_why_and_changes_nothing(counting: Counting) -> None:
    service = counting.service
    flags = ("--owner", "platform", "--purpose", "x")
    before = service.apply(dry_run=True)["bundle"]
    for words, code, said in (
        (("agents", "register", "clerk", *flags), 1, "an agent is called clerk already"),
        (("agents", "register", "odd", *flags, "--group", "nobodys"), 3, "nobodys"),
        (("agents", "register", "odd name", *flags), 2, "cannot name an agent"),
        (("agents", "register", "odd", "--owner", "", "--purpose", "x"), 2, "owner"),
        (("agents", "enforce", "odd"), 5, "no such agent in the running bundle: odd"),
        (("agents", "report", "odd"), 5, "no such agent"),
        (("agents", "report", "clerk", "--since", "soon"), 2, "not a duration"),
    ):
        done = service.remit(*words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done)
        assert "next:" in done.stderr
    for words in (("agents", "enforce", "clerk"), ("agents", "report", "clerk"), ("agents", "register", "o", *flags)):
        assert service.remit(*words, token=service.user("ana")).returncode == 4
    assert service.apply(dry_run=True)["bundle"] == before
    assert not (service.workspace / "agents" / "odd.yaml").exists()
