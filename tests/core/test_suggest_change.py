"""What the drift of a tool changes of what is proposed for it is told beside its entry, and nothing else is."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given

from remit.control.resources import StoreSpec, ToolSpec
from remit.control.review import review
from remit.control.suggest import propose
from remit.control.suggest_change import SuggestionChange
from remit.facts.canonical import Json
from remit.facts.origin import Role
from remit.facts.results import Part
from remit.facts.text import escaped
from remit.facts.tool import Argument, Definition, Effect
from tests.core.declaring import definitions, lock_of

SERVER = "desk"


def tool(name: str, *arguments: str, about: str = "", hints: Mapping[str, Json] | None = None) -> Definition:
    properties: dict[str, Json] = {argument: {"type": "string"} for argument in arguments}
    return Definition(name, about, {"type": "object", "properties": properties}, None, hints or {})


def changes(
    accepted: list[Definition], live: list[Definition], **entries: ToolSpec
) -> dict[str, tuple[SuggestionChange, ...] | None]:
    named = {f"{SERVER}/{name}": spec for name, spec in entries.items()}
    reviewed = review(lock_of(*accepted, server=SERVER), SERVER, live, named)
    return {one.comparison.tool: one.suggestion_changes for one in reviewed.tools}


def texts(found: tuple[SuggestionChange, ...] | None) -> list[str]:
    assert found is not None
    return [one.text for one in found]


def test_what_is_proposed_otherwise_is_told_with_its_reason_and_what_the_entry_says() -> None:
    entry = ToolSpec(asks=("pay",), arguments={"to": Argument(secret=True)})
    accepted, live = tool("pay_bill", "bill"), tool("pay_bill", "bill", "to", "amount")
    found = changes([accepted], [live], pay_bill=entry)["pay_bill"]
    assert found is not None
    amount, to, *impact = found
    why = "to says whom or what it reaches"
    assert to.text == f"arguments.to: now {{role: target}} ({why}), before nothing; the entry says {{secret: true}}"
    assert amount.to_json() == {
        "path": "arguments.amount",
        "before": None,
        "after": {"role": "content"},
        "entry": None,
        "because": "amount is what it carries",
        "text": amount.text,
    }
    assert amount.text.endswith("(amount is what it carries), before nothing; the entry says nothing")
    assert {change.path.partition(".")[0] for change in impact} == {"impact"}


def test_what_the_entry_says_already_is_told_as_that() -> None:
    entry = ToolSpec(effect=Effect.READ, arguments={"who": Argument(role=Role.KEY, secret=True)})
    accepted, live = tool("frob", "who"), tool("frob", "who", hints={"readOnlyHint": True})
    found = texts(changes([accepted], [live], frob=entry)["frob"])
    assert found[:2] == [
        "arguments.who: now {role: key} (it says what is asked for), before nothing; the entry says so",
        "effect: now read (the server claims readOnlyHint: true), before irreversible; the entry says so",
    ]
    back = texts(changes([live], [accepted], frob=entry)["frob"])
    assert back[0] == "arguments.who: now nothing, before {role: key}; the entry says {secret: true, role: key}"


def test_parts_of_results_and_stores_are_told_by_what_they_are() -> None:
    lists, writes = tool("list_notes"), tool("write_note", "note_id")
    declared = {"type": "object", "properties": {"id": {"type": "string"}}}
    entry = ToolSpec(results=(Part("$[*].id", "trusted"),), store=StoreSpec((), "desk-note"))
    found = changes([lists, writes], [replace(lists, output_schema=declared), writes], list_notes=entry)["list_notes"]
    assert texts(found) == [
        "format: now nothing, before yaml; the entry says nothing",
        "results.$.id_: now nothing, before {label: trusted}; the entry says nothing",
        "results.$[*].id: now nothing, before {label: trusted}; the entry says {label: trusted}",
        "results.$[*].id_: now nothing, before {label: trusted}; the entry says nothing",
    ]
    alone = changes([lists, writes], [replace(lists, description="x")], list_notes=entry)["list_notes"]
    assert texts(alone)[-1] == "store: now nothing, before {name: desk-note}; the entry says {name: desk-note}"
    keyed = [tool("read_note", "note_id"), writes]
    entry = ToolSpec(store=StoreSpec(("note_id",), "desk-note"))
    found = changes(keyed[:1], [replace(keyed[0], description="x"), writes], read_note=entry)["read_note"]
    assert [text for text in texts(found) if text.startswith("store: ") and text.endswith("; the entry says so")]


def test_who_has_no_entry_did_not_drift_or_cannot_be_accepted_is_not_compared() -> None:
    accepted, live = tool("send_note", "note_id"), tool("send_note", "to")
    assert changes([accepted], [live]) == {"send_note": None}
    assert changes([accepted], [live, live], send_note=ToolSpec()) == {"send_note": None}
    assert changes([], [live], send_note=ToolSpec()) == {"send_note": None}
    assert changes([accepted], [], send_note=ToolSpec()) == {"send_note": None}


@given(definitions, definitions)
def test_just_what_is_proposed_otherwise_is_told_and_can_be_printed(before: Definition, after: Definition) -> None:
    live = replace(after, name=before.name)
    found = changes([before], [live], **{before.name: ToolSpec()}).get(before.name)
    if before.pin() == live.pin():
        assert found is None
        return
    assert found is not None
    (was,), (now,) = propose(SERVER, [before]), propose(SERVER, [live])
    assert bool(found) == (was.spec != now.spec)
    assert all(change.before != change.after for change in found)
    assert all(change.text == escaped(change.text, chars_max=len(change.text)) for change in found)
