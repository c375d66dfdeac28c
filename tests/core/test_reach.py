"""Whether an action can be undone and where it goes, as people are told: what policy sees, the worst where unsaid."""

from dataclasses import replace

import pytest

from remit.escalate.brief import arrange
from remit.facts.action import ActionKind
from remit.facts.catalog import Http, Server
from remit.facts.tool import Effect, Sink
from remit.pdp.other_destination import other_destination
from tests.core.deciding import action, bundle, catalog
from tests.core.test_brief import case, text, tool

OUTSIDE = "outside the organisation"
ASSUMED = f"{OUTSIDE}: the worst is assumed, since no sink is declared for the server mail"


@pytest.mark.parametrize("kind", [one for one in ActionKind if one not in {ActionKind.CALL_TOOL, ActionKind.DELEGATE}])
@pytest.mark.parametrize(
    ("declared", "reaches"),
    [
        (None, ASSUMED),
        (Sink.EXTERNAL, f"{OUTSIDE}, as declared for the server mail"),
        (Sink.INTERNAL, "inside the organisation, as declared for the server mail"),
        (Sink.NONE, "nowhere, as declared for the server mail"),
    ],
)
def test_what_calls_no_tool_goes_where_policy_sees_it_go(kind: ActionKind, declared: Sink | None, reaches: str) -> None:
    server = Server("mail", Http("http://127.0.0.1:9"), declared_sink=declared)
    brief = arrange(case(kind=kind, server=server))
    told = [text(line.spans) for line in brief.impact]
    running = bundle(replace(catalog(), servers={"mail": server}))
    seen = other_destination(running, action("mail/send", {}, kind=kind)).external
    assert told == ["counts as reading only: no tool is called", reaches]
    assert (OUTSIDE in reaches, brief.careful) == (seen, seen)


def test_the_worst_is_assumed_of_a_server_that_has_gone_and_authority_is_never_handed_on_by_one_key() -> None:
    gone = arrange(case(kind=ActionKind.READ_RESOURCE))
    assert all("not in the catalog, so the worst is assumed" in text(line.spans) for line in gone.impact)
    handed = arrange(case(kind=ActionKind.DELEGATE))
    assert [text(line.spans) for line in handed.impact] == [
        "nothing is done yet: what that agent does is judged by itself",
        "whatever that agent may reach",
    ]
    assert gone.careful
    assert handed.careful


def test_what_is_declared_for_a_server_says_nothing_of_its_tools() -> None:
    inside = Server("mail", Http("http://127.0.0.1:9"), declared_sink=Sink.NONE)
    worst = arrange(case(server=inside))
    assert all("the worst is assumed" in text(line.spans) for line in worst.impact)
    told = arrange(case(server=inside, tool=tool(Effect.READ, Sink.EXTERNAL)))
    assert [text(line.spans) for line in told.impact] == ["reads only", OUTSIDE]
    assert worst.careful
    assert told.careful
