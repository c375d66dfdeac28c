"""How the like was decided before, and which other calls are worth judging."""

from dataclasses import replace

from remit.assure.alternatives import CANDIDATES_MAX, candidates, precedent
from remit.escalate.brief import Precedent
from remit.escalate.machine import Approval, ApprovalState, Glass
from remit.facts.canonical import Json
from remit.facts.lineage import Lineage
from remit.facts.origin import Origin, Role
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.verdict import Gate
from tests.core.deciding import schema, tool


def ended(ident: str, state: ApprovalState, agent: str = "bot", *policies: str) -> Approval:
    gates = tuple(Gate(policy, "owner", "h") for policy in policies or ("ask",))
    return Approval(ident, "h", "s", agent, None, "mail", "send", gates, 0, 9, state=state)


def test_only_the_same_shape_is_a_precedent() -> None:
    asked = ended("r1-1.1", ApprovalState.PENDING)
    earlier = [
        asked,
        ended("r1-1.2", ApprovalState.SUCCEEDED),
        ended("r1-1.3", ApprovalState.FAILED),
        ended("r1-1.4", ApprovalState.DENIED),
        ended("r1-1.5", ApprovalState.EXPIRED),
        ended("r1-1.6", ApprovalState.PENDING),
        ended("r1-1.7", ApprovalState.DENIED, "other"),
        ended("r1-1.8", ApprovalState.DENIED, "bot", "ask", "more"),
    ]
    assert precedent(earlier, asked) == Precedent(2, 1, 1)


def test_only_what_people_said_yes_to_is_approved() -> None:
    """Hanging up, asking anew and broken glass make no precedent."""
    asked = replace(ended("r1-1.9", ApprovalState.PENDING), opened_ms=5)
    earlier = [
        ended("r1-1.1", ApprovalState.CANCELLED),
        ended("r1-1.2", ApprovalState.SUPERSEDED),
        replace(ended("r1-1.3", ApprovalState.SUCCEEDED), glass=Glass("sam", 1, "the site is down")),
        replace(ended("r1-1.4", ApprovalState.EXPIRED), glass=Glass("sam", 1, "the site is down")),
        ended("r1-1.5", ApprovalState.UNKNOWN),
        replace(ended("r1-1.10", ApprovalState.SUCCEEDED), opened_ms=6),
    ]
    assert precedent(earlier, asked) == Precedent(1, 0, 0, 2, 2)


def suspect(path: str) -> Lineage:
    return Lineage(path, "x", Origin.UNTRUSTED, Role.TARGET)


def send(*required: str) -> Tool:
    fields = schema(required, to={}, cc={}, text={})
    return tool("mail", "send", fields, effect=Effect.IRREVERSIBLE, sink=Sink.EXTERNAL)


GIVEN: dict[str, Json] = {"to": ["a", "b"], "cc": ["c"], "text": "t"}


def test_suspect_values_are_taken_out_of_lists_and_arguments_that_need_not_be() -> None:
    (one,) = candidates(send(), (), GIVEN, [suspect("$.to[1]"), suspect("$.cc[0]"), Lineage("$.text", "t")])
    assert (one.change, one.arguments) == ("the same without what is suspect in cc, to", {"to": ["a"], "text": "t"})


def test_what_must_be_given_is_never_left_out() -> None:
    assert candidates(send("text"), (), GIVEN, [suspect("$.text")]) == []
    assert candidates(send("cc"), (), GIVEN, [suspect("$.cc[0]")]) == []
    assert candidates(send(), (), GIVEN, [suspect("no path"), suspect("$.other")]) == []


def test_a_tool_of_the_server_that_does_less_with_the_same_arguments() -> None:
    draft = tool("mail", "draft", schema((), to={}, text={}), effect=Effect.WRITE, sink=Sink.NONE)
    note = tool("mail", "note", schema((), text={}), effect=Effect.WRITE, sink=Sink.EXTERNAL)
    others = [
        note,
        draft,
        send(),
        tool("mail", "other", {}, effect=Effect.READ, sink=Sink.NONE),
        tool("mail", "post", schema((), text={}), effect=Effect.IRREVERSIBLE, sink=Sink.EXTERNAL),
        tool("chat", "say", schema((), text={}), effect=Effect.READ, sink=Sink.NONE),
    ]
    found = candidates(send(), others, GIVEN, ())
    assert [(one.change, one.name) for one in found] == [
        ("draft instead of send", "draft"),
        ("note instead of send", "note"),
    ]
    assert found[0].arguments == {"to": ["a", "b"], "text": "t"}


def test_few_are_judged() -> None:
    many = [tool("mail", f"d{at}", schema((), text={}), effect=Effect.READ, sink=Sink.NONE) for at in range(20)]
    assert len(candidates(send(), many, GIVEN, ())) == CANDIDATES_MAX
