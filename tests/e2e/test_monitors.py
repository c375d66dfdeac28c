"""Monitors and guarantees through the real gateway, as `docs/how-to/limit-what-follows-what.md` declares them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from mcp_types import ElicitResult

from tests.e2e.bank_world import Banking, page
from tests.eventually import eventually


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Banking]:
    with Banking(tmp_path_factory.mktemp("bank")) as running:
        running.service.write(page())
        running.service.apply()
        yield running


def ask(bank: Banking, token: str, tool: str, **arguments: Any) -> tuple[bool, str]:
    return asyncio.run(bank.call(token, tool, **arguments))


def test_no_payment_after_a_failed_identity_check(bank: Banking) -> None:
    clerk = bank.service.agent("clerk", "ana")
    assert ask(bank, clerk, "pay", to="bob")[0]
    assert ask(bank, clerk, "identify", person="mallory")[0]
    passed, text = ask(bank, clerk, "pay", to="mallory")
    assert not passed
    assert "the identity check failed" in text
    # Another run knows nothing of it; a check that succeeds ends it.
    assert ask(bank, bank.service.agent("clerk", "ana"), "pay", to="eve")[0]
    assert ask(bank, clerk, "identify", person="bob")[0]
    assert ask(bank, clerk, "pay", to="bob")[0]
    assert "pay mallory" not in bank.done
    decided = re.search(r"r\w+-\d+\.\d+", text)
    assert decided is not None
    told = bank.service.remit("why", decided[0]).stdout
    assert 'past: {"identityFailed": true}' in told, told


def test_a_check_under_way_counts_as_one_that_may_fail(bank: Banking) -> None:
    async def both() -> tuple[bool, tuple[bool, str]]:
        clerk = bank.service.agent("clerk", "ana")
        checking = asyncio.create_task(bank.call(clerk, "identify", person="slow"))
        await eventually(lambda: "identify slow" in bank.done)
        paid = (await bank.call(clerk, "pay", to="early"))[0]
        (bank.root / "enough").touch()
        await checking
        return paid, await bank.call(clerk, "pay", to="later")

    early, later = asyncio.run(both())
    assert not early
    assert later[0]


def test_draft_and_release_by_different_agents(bank: Banking) -> None:
    clerk, boss = bank.service.agent("clerk", "ana"), bank.service.agent("boss", "ana")
    assert ask(bank, clerk, "draft", document="d1")[0]
    passed, text = ask(bank, bank.service.agent("clerk", "ana"), "release", document="d1")
    assert not passed
    assert "whoever drafted a document does not release it" in text
    assert ask(bank, clerk, "release", document="d2")[0]
    assert ask(bank, boss, "release", document="d1")[0]


def test_a_guarantee_denies_what_policy_permits(bank: Banking) -> None:
    clerk, boss = bank.service.agent("clerk", "ana"), bank.service.agent("boss", "ana")
    for token in (clerk, boss):
        assert ask(bank, token, "draft", document="d9")[0]
    # The last who drafted it was another, which is all that the policy asks.
    passed, text = ask(bank, clerk, "release", document="d9")
    assert not passed
    assert "the guarantee duties, for which ana answers" in text
    assert "release d9" not in bank.done


def test_at_most_three_exports_an_hour_anywhere_also_after_a_restart(bank: Banking) -> None:
    tokens = [bank.service.agent(name, "ana") for name in ("clerk", "boss", "clerk")]
    assert all(ask(bank, token, "export", table=str(at))[0] for at, token in enumerate(tokens))
    bank.service.stop()
    bank.service.start()
    passed, text = ask(bank, bank.service.agent("boss", "ana"), "export", table="4")
    assert not passed
    assert "a fourth export within an hour" in text
    assert [line for line in bank.done if line.startswith("export")] == ["export 0", "export 1", "export 2"]
    # What is kept is what the records say.
    verified = bank.service.remit("ledger", "verify")
    assert "the state is theirs" in verified.stdout + verified.stderr


def test_why_tells_what_a_call_added_for_later_ones(bank: Banking) -> None:
    clerk = bank.service.agent("clerk", "ana")
    told: dict[str, dict[str, Any]] = {}
    for tool, argument in (("draft", {"document": "d7"}), ("identify", {"person": "bob"}), ("pay", {"to": "bob"})):
        assert ask(bank, clerk, tool, **argument)[0]
        logged = map(json.loads, bank.service.remit("logs", "-o", "json").stdout.splitlines())
        *_, intent = (one["id"] for one in logged if one["kind"] == "intent")
        told[tool] = bank.service.told("why", intent)
        assert not any("key" in mark for mark in told[tool]["marks"]), "it would tell a guess at the argument"
    window = "over the fleet within 604800 s"
    assert [(mark["id"], mark["text"]) for mark in told["draft"]["marks"]] == [
        ("guarantee:duties", f"done: number 1 of what it keeps apart of this value of document, {window}"),
        ("monitor:drafter", f"the last was clerk for ana of this value of document, {window}"),
    ]
    assert [mark["record"] for mark in told["draft"]["marks"]] == [told["draft"]["id"], told["draft"]["outcome"]["id"]]
    assert [(mark["does"], mark["text"]) for mark in told["identify"]["marks"]] == [
        ("add", "1 more, over the session"),
        ("back", "1 taken back, since it did not happen, over the session"),
        ("reset", "what was counted is forgotten, over the session"),
    ]
    out = bank.service.remit("why", told["pay"]["id"]).stdout
    assert f"marks\n  guarantee:payments: 1 more, over the fleet within 60 s ({told['pay']['id']})\n" in out


WIRES = """\
apiVersion: remit.dev/v1alpha1
kind: Monitor
metadata: {name: wires}
spec: {op: count, of: [{tools: [bank/wire]}], over: fleet, within_s: 3600}
---
apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {name: wiring}
spec: {measure: calls, per: fleet, hard: 2, window_s: 86400, tools: [bank/wire]}
"""
FEW_WIRES = """\
@id("two-wires-an-hour")
@reason("a third wire within an hour")
forbid (principal, action == Remit::Action::"bank___wire", resource)
when { context.past.wires >= 2 || context.session.calls >= 1 };
"""


def test_a_call_that_asks_back_is_not_counted_against_its_own_answer(bank: Banking) -> None:
    bank.service.write({"wires.yaml": WIRES, "wires.cedar": FEW_WIRES})
    bank.service.apply()
    both, waiting = asyncio.Event(), set[str]()

    async def wire(to: str) -> tuple[bool, str]:
        async def sure(context: object, params: object) -> ElicitResult:
            del context, params
            # Neither is answered before both were let through: the second answer comes when the limit is reached.
            waiting.add(to)
            if len(waiting) == 2:
                both.set()
            await both.wait()
            return ElicitResult(action="accept", content={"sure": True})

        return await bank.call(bank.service.agent("clerk", "ana"), "wire", answers=sure, to=to)

    async def two() -> Sequence[tuple[bool, str]]:
        return await asyncio.gather(wire("ann"), wire("bob"))

    assert list(asyncio.run(two())) == [(True, "done"), (True, "done")]
    assert sorted(line for line in bank.done if line.startswith("wire")) == ["wire ann", "wire bob"]
    for restart in (False, True):
        if restart:
            bank.service.stop()
            bank.service.start()
        passed, text = asyncio.run(wire("eve"))
        assert not passed
        assert "the budget wiring" in text, text
    bank.service.write({"wires.yaml": WIRES.partition("---")[0]})
    bank.service.apply()
    passed, text = asyncio.run(wire("eve"))
    assert not passed
    assert "a third wire within an hour" in text, text
    verified = bank.service.remit("ledger", "verify")
    assert "the state is theirs" in verified.stdout + verified.stderr


def test_a_guarantee_is_shown_with_its_state(bank: Banking) -> None:
    listed = bank.service.told("get", "guarantees")
    assert [one["metadata"]["name"] for one in listed] == ["duties", "payments"]


def test_a_monitor_that_would_need_too_much_or_is_misspelt_changes_nothing(bank: Banking) -> None:
    wide = page()["monitors.yaml"].replace("within_s: 3600", "within_s: 2592000\n  step_s: 1")
    bank.service.write({"monitors.yaml": wide})
    refused = bank.service.remit("apply")
    assert refused.returncode == 3
    assert "2592000 steps, of which at most 3600 are kept" in refused.stderr
    odd = '@id("odd") forbid (principal, action, resource) when { context.past.export > 1 };'
    bank.service.write({"monitors.yaml": page()["monitors.yaml"], "odd.cedar": odd})
    misspelt = bank.service.remit("apply")
    assert misspelt.returncode == 3
    assert "export" in misspelt.stderr
    (bank.service.workspace / "odd.cedar").unlink()
    assert bank.service.remit("apply").returncode == 0
