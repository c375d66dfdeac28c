"""What became of a call in doubt is said by a person, on record; then it is listed no more."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from proof.counting import Counting, call
from tests.eventually import eventually

FAR = "r0-1.999"


@pytest.fixture
def doubtful(tmp_path: Path) -> Iterator[Counting]:
    """A service that was killed while the counter had a call of `add`."""
    with Counting(tmp_path, delay_s=30, hold_s=0.1) as running:
        asyncio.run(killed_in_flight(running))
        running.service.start()
        yield running


async def killed_in_flight(counting: Counting) -> None:
    agent = counting.service.agent("clerk", "ana")
    going = asyncio.create_task(call(counting.service, agent, "add", {"id": "one"}))
    await eventually(lambda: counting.effects or going.done())
    assert not going.done(), going.result()
    counting.service.kill()
    going.cancel()
    with suppress(asyncio.CancelledError, Exception, ExceptionGroup):
        await going


def test_a_person_settles_what_is_in_doubt_and_the_ledger_verifies(doubtful: Counting) -> None:
    service = doubtful.service
    [item] = service.told("ledger", "in-doubt")
    assert item["outcome"] == "none"
    before = service.told("sessions", "show", item["sid"])
    told = service.remit("why", item["id"])
    assert "remit ledger settle" in told.stderr, told.stderr
    assert "in doubt" in told.stdout
    wrong = service.remit("ledger", "settle", FAR, "--happened", "--why", "seen there")
    assert (wrong.returncode, f"in doubt: {FAR}" in wrong.stderr) == (5, True), wrong.stderr

    done = service.told("ledger", "settle", item["id"], "--happened", "--why", "its line is at the counter")

    assert (done["id"], done["happened"]) == (item["id"], True)
    assert service.told("ledger", "in-doubt") == []
    why = service.told("why", item["id"])
    assert (why["in_doubt"], why["outcome"]) == (False, None)
    settled = why["settled"]
    assert (settled["id"], settled["happened"], settled["why"]) == (done["record"], True, "its line is at the counter")
    again = service.remit("ledger", "settle", item["id"], "--did-not-happen", "--why", "no")
    assert again.returncode == 5
    after = service.told("sessions", "show", item["sid"])
    assert (after["calls"], after["labels"]) == (before["calls"], before["labels"])
    doctor = service.remit("doctor")
    assert "every call that was sent was answered, or is settled" in doctor.stdout, doctor.stdout
    service.stop()
    service.start()
    assert service.told("ledger", "in-doubt") == []
    assert service.remit("ledger", "verify").returncode == 0


BUDGET = """\
apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {name: one}
spec: {measure: calls, per: agent, hard: 1, window_s: 31536000, tools: [counter]}
"""


PEOPLE = """\
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: owen}
spec: {groups: [owners]}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: bob}
"""


def test_what_did_not_happen_gives_back_what_it_took_by_the_word_of_who_decides_and_gets_nothing_of_it(
    tmp_path: Path,
) -> None:
    counting = Counting(tmp_path, delay_s=30, hold_s=0.1)
    counting.service.write({"budget.yaml": BUDGET})
    with counting:
        asyncio.run(killed_in_flight(counting))
        service = counting.service
        resources = (service.workspace / "resources.yaml").read_text("utf-8").replace("owner: platform", "owner: owen")
        service.write({"resources.yaml": resources, "people.yaml": PEOPLE})
        service.start()
        [item] = service.told("ledger", "in-doubt")

        def spent() -> list[str]:
            return [one["spent"] for one in service.told("describe", "budget", "one")["status"]["accounts"]]

        said = ("ledger", "settle", item["id"], "--did-not-happen", "--why", "its line is not at the counter")
        assert spent() == ["1"]
        own = service.remit(*said, token=service.user("ana"))
        assert (own.returncode, "it acted for you" in own.stderr) == (4, True), own.stderr
        for name, why in (("bob", "you decide on no route"), ("owen", "agent clerk is yours")):
            other = service.remit(*said, token=service.user(name))
            assert (other.returncode, why in other.stderr) == (4, True), other.stderr
        assert spent() == ["1"]
        service.told(*said, token=service.user("sam"))
        assert spent() == ["0"]
        service.stop()
        service.start()
        assert spent() == ["0"]
        assert service.remit("ledger", "verify").returncode == 0


def test_a_call_that_was_cut_off_is_settled_like_one_that_has_no_outcome(tmp_path: Path) -> None:
    counting = Counting(tmp_path, delay_s=30, hold_s=0.1)
    counting.service.write({"budget.yaml": BUDGET})
    with counting:
        service = counting.service
        ident = asyncio.run(cut_off(counting))

        def spent() -> list[str]:
            return [one["spent"] for one in service.told("describe", "budget", "one")["status"]["accounts"]]

        [item] = service.told("ledger", "in-doubt")
        assert (spent(), item["id"], item["outcome"]) == (["1"], ident, "lost")
        listed = service.remit("ledger", "in-doubt")
        assert f"{ident}  lost" in listed.stdout
        assert "remit ledger settle ID --happened|--did-not-happen --why TEXT" in listed.stderr
        doctor = service.remit("doctor")
        assert doctor.returncode == 0
        assert "warn  in-doubt: 1 call sent and not answered" in doctor.stdout
        assert f"remit ledger settle {ident}" in service.remit("why", ident).stderr
        said = ("ledger", "settle", ident, "--did-not-happen", "--why", "its line is not at the counter")
        with ThreadPoolExecutor(4) as pool:
            together = [pool.submit(service.remit, *said) for _ in range(4)]
        assert sorted(one.result().returncode for one in together) == [0, 5, 5, 5], "it is said once"
        assert (spent(), service.told("ledger", "in-doubt")) == (["0"], [])
        why = service.told("why", ident)
        assert (why["outcome"]["status"], why["settled"]["happened"], why["in_doubt"]) == ("lost", False, False)
        service.stop()
        assert service.remit("ledger", "verify", "--data", str(service.data)).returncode == 0
        service.start()
        assert spent() == ["0"]
        assert service.remit(*said).returncode == 5


async def cut_off(counting: Counting) -> str:
    service = counting.service
    going = asyncio.create_task(call(service, service.agent("clerk", "ana"), "add", {"id": "one"}))
    await eventually(lambda: counting.effects or going.done())
    assert not going.done(), going.result()
    halted = await asyncio.to_thread(service.told, "halt", "tool", "counter/add", "--why", "it hangs")
    said = await going
    assert "it may have taken effect" in str(said.content)
    [ident] = halted["cut"]
    return str(ident)


WATCHED = """\
apiVersion: remit.dev/v1alpha1
kind: Monitor
metadata: {name: added}
spec: {op: count, of: [{tools: [counter/add]}], over: fleet, within_s: 86400}
---
apiVersion: remit.dev/v1alpha1
kind: Guarantee
metadata: {name: rate}
spec: {owner: ana, rate: {of: {tools: [counter/add]}, at_most: 1, within_s: 86400}}
"""
ONCE = """@id("once") forbid (principal, action == Remit::Action::"counter___add", resource)
when { context.past.added >= 1 };"""


def test_what_did_not_happen_is_counted_by_monitors_and_rates_no_more(tmp_path: Path) -> None:
    counting = Counting(tmp_path, delay_s=30, hold_s=0.1)
    with counting:
        counting.service.write({"watched.yaml": WATCHED, "once.cedar": ONCE})
        counting.service.apply()
        asyncio.run(killed_in_flight(counting))
        service = counting.service
        service.start()
        [item] = service.told("ledger", "in-doubt")

        def may() -> tuple[bool, str]:
            asked = service.remit("can", "clerk", "counter/add", '{"id": "two"}', "--user", "ana")
            return asked.returncode == 0, asked.stdout + asked.stderr

        assert not may()[0]
        said = ("ledger", "settle", item["id"], "--did-not-happen", "--why", "its line is not at the counter")
        assert service.remit(*said, token=service.user("ana")).returncode == 4
        service.told(*said, token=service.user("sam"))
        assert may()[0], may()[1]
        why = service.told("why", item["id"])
        marks = [(one["id"], one["does"]) for one in why["marks"] if one["record"] == why["settled"]["id"]]
        assert marks == [(ident, "back") for ident in ("monitor:added", "guarantee:rate")]
        service.stop()
        service.start()
        assert may()[0]
        assert service.remit("ledger", "verify").returncode == 0


def test_a_call_that_its_tool_says_failed_is_given_back_by_who_found_that_nothing_was_done(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    counting.service.write({"budget.yaml": BUDGET})
    with counting:
        service = counting.service
        (counting.root / "effects").write_bytes(b"\xff")
        assert asyncio.run(call(service, service.agent("clerk", "ana"), "peek", {})).is_error

        def sent() -> list[str]:
            lines = service.remit("logs", "--limit", "50").stdout.splitlines()
            return [line.split()[1] for line in lines if line.split()[2] == "intent"]

        [ident] = sent()

        def spent() -> list[str]:
            return [one["spent"] for one in service.told("describe", "budget", "one")["status"]["accounts"]]

        assert (spent(), service.told("ledger", "in-doubt")) == (["1"], []), "what a tool answered is in no doubt"
        asked = service.remit("why", ident)
        assert ("still spent" in asked.stdout, f"settle {ident} --did-not-happen" in asked.stderr) == (True, True)
        said = ("ledger", "settle", ident, "--did-not-happen", "--why", "it could not even read")
        assert service.remit(*said, token=service.user("ana")).returncode == 4
        service.told(*said, token=service.user("sam"))
        assert spent() == ["0"]
        assert service.remit(*said).returncode == 5, "it is said once"
        why = service.told("why", ident)
        assert (why["outcome"]["status"], why["settled"]["happened"]) == ("tool_error", False)
        assert (why["stays_spent"], "still spent" in service.remit("why", ident).stdout) == (False, False)
        service.stop()
        assert service.remit("ledger", "verify", "--data", str(service.data)).returncode == 0
        service.start()
        assert (spent(), service.remit(*said).returncode) == (["0"], 5)
        (service.workspace / "budget.yaml").unlink()
        service.apply()
        assert asyncio.run(call(service, service.agent("clerk", "ana"), "peek", {})).is_error
        [_, free] = sent()
        none = service.remit("ledger", "settle", free, "--did-not-happen", "--why", "it could not read")
        assert (none.returncode, "in doubt" in none.stderr) == (5, True), "no budget holds anything of it"
