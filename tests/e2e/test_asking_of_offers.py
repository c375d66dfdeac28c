"""`remit can` and `agents report` ask of resources and prompts as they do of tools, over a real service and server."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.pairs import NEW, Pairs, pairs

CLOSED = """\
@id("no-people")
@reason("people are not read of")
forbid (principal, action == Remit::Action::"read_resource", resource) when { context.input.uri like "person://*" };

@id("no-greetings")
@reason("nobody is greeted")
forbid (principal, action == Remit::Action::"get_prompt", resource) when { context.input.name == "greet" };
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    with pairs(tmp_path_factory.mktemp("asking")) as running:
        running.service.write({"closed.cedar": CLOSED})
        running.service.apply()
        yield running


def of_agents(world: Pairs) -> list[str]:
    """The ids of records but for those that the service makes by itself, such as of its keys."""
    said = world.service.remit("logs", "--limit", "1000", "-o", "json").stdout
    return [item["id"] for item in map(json.loads, said.splitlines()) if item["kind"] != "admin"]


@pytest.mark.parametrize(
    ("kind", "what", "line"),
    [
        ("read_resource", "note://today", "+ permits  clerks-do-everything"),
        ("read_resource", "person://alma", "x forbids  no-people: people are not read of (closed.cedar:1)"),
        ("get_prompt", "greet", "x forbids  no-greetings: nobody is greeted (closed.cedar:5)"),
        ("get_prompt", "echo", "+ permits  clerks-do-everything"),
        ("call_tool", "greet", "x denies   tool/unknown: there is no tool new/greet"),
    ],
)
def test_what_a_read_or_a_prompt_would_meet_is_asked_beforehand(world: Pairs, kind: str, what: str, line: str) -> None:
    before = of_agents(world)
    done = world.service.remit("can", "clerk", f"new/{what}", "--kind", kind, "--user", "ana")
    verdict = "permit" if line.startswith("+") else "deny"
    assert (done.returncode, done.stdout.splitlines()[0]) == (int(verdict == "deny"), verdict), done.stderr
    assert done.stdout.splitlines()[1].strip().startswith(line)
    assert of_agents(world) == before, "asking is no record"


def test_the_report_says_what_policies_now_say_of_reads_and_prompts(world: Pairs) -> None:
    service = world.service
    flags = ("--owner", "ana", "--purpose", "is new here", "--group", "clerks", "--observe")
    service.told("agents", "register", "watched", *flags)
    watched = replace(world, token=service.agent("watched", "ana"))

    async def work() -> None:
        async with watched.client(NEW, NEW) as client:
            await client.read_resource("person://alma")
            await client.get_prompt("greet", {"name": "alma"})

    asyncio.run(work())
    lines = service.remit("logs", "--agent", "watched", "--limit", "50").stdout
    assert "permit watched for ana: read_resource new (what it offers)" in lines, "no name is an empty one"
    rows = {row["policy"]: row["now"] for row in service.told("agents", "report", "watched")["policies"]}
    assert rows == {"no-people": "deny", "no-greetings": "deny"}
    try:
        (service.workspace / "closed.cedar").unlink()
        service.apply()
        told = service.told("agents", "report", "watched")
    finally:
        service.write({"closed.cedar": CLOSED})
        service.apply()
    assert {row["now"] for row in told["policies"]} == {"permit"}
    assert told["changes"] is False


def test_the_report_says_which_lists_enforcing_would_leave_empty(world: Pairs) -> None:
    service = world.service
    service.told("agents", "register", "looker", "--owner", "ana", "--purpose", "only looks", "--observe")
    looker = replace(world, token=service.agent("looker", "ana"))

    async def look() -> tuple[int, int]:
        async with looker.client(NEW, NEW) as client:
            return len((await client.list_resources()).resources), len((await client.list_prompts()).prompts)

    assert min(asyncio.run(look())) > 0
    told = service.told("agents", "report", "looker")
    assert (told["would_deny"], told["would_ask"], told["changes"]) == (0, 0, False)
    assert told["would_hide"] >= 2
    assert {row["now"] for row in told["policies"]} == {"deny"}
    shown = service.remit("agents", "report", "looker")
    assert shown.returncode == 0
    assert f", {told['would_hide']} lists would have been empty" in shown.stdout
    said = next(line for line in shown.stderr.splitlines() if line.startswith("enforcing now would show nothing of"))
    assert {"new (prompts)", "new (resources)"} <= set(said.partition(": ")[2].split(", "))
    service.told("agents", "enforce", "looker")
    assert asyncio.run(look()) == (0, 0)
