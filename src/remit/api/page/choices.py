"""What a person may do about an approval, as forms; a yes that is to be confirmed comes with a question to his keys."""

import json
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic import JsonValue

from remit.api.answers_decided import ApprovalAnswer
from remit.api.answers_grants import GrantAnswer
from remit.api.page.html import Html, tag
from remit.api.page.passkey_question import PasskeyQuestion
from remit.escalate.refusals import SENTENCES
from remit.escalate.wording import RUNS, grant_standing, route_standing, shortened
from remit.facts.text import escaped

EDITED_CHARS_MAX: Final = 4_000
_OPEN: Final = frozenset({"pending", "approved"})


class Viewer(NamedTuple):
    """Who looks: the `user`, what his forms carry, and how he confirms a yes and broken `glass`, where he has to."""

    user: str
    csrf: str
    question: PasskeyQuestion | None = None
    grants: bool = False
    delegates: bool = False
    stops: bool = False
    breaks: bool = False
    glass_question: PasskeyQuestion | None = None


def forms(approval: ApprovalAnswer, viewer: Viewer, nonce: str, *, careful: bool) -> Iterable[Html]:
    """How the routes stand, and what `viewer` may do."""
    for seat in approval.seats:
        status = route_standing(seat.route, seat.count, seat.by, seat.eligible, seat.short)
        yield tag("p", f"{status[0].upper()}{status[1:]}.")
    if approval.glass is not None:
        yield tag("p", tag("strong", f"Its glass is broken: {approval.glass.by} lifted every gate alone."))
        if approval.glass.reviewed_by is None:
            yield tag("p", f"Somebody else looks at it: remit approvals review {approval.id}")
    for one in approval.grants:
        yield tag("p", grant_standing(one.id, one.by, one.expires, (one.uses, one.uses_max), one.ended), ".")
    if approval.void is not None:
        yield tag("p", f"Nothing can come of it: {approval.void}.")
    bound = (hidden("csrf", viewer.csrf), hidden("shown", nonce))
    if approval.state not in _OPEN:
        yield tag("p", tag("strong", f"It is {approval.state}."))
        if viewer.stops:
            yield from _stop(bound)
        return
    if (stands := _own_yes(approval, viewer)) is not None:
        yield tag("p", tag("strong", stands))
    if approval.may_approve:
        yield from _yes(approval, viewer, bound, careful=careful)
    yield from _no(bound)
    usable = approval.void is None
    if viewer.grants and usable:
        yield from _grant(bound)
    if viewer.delegates and usable:
        yield from _delegate(approval, viewer, bound)
    if viewer.stops:
        yield from _stop(bound)
    if viewer.breaks and usable:
        yield from _glass(approval, bound, viewer.glass_question)


def _own_yes(approval: ApprovalAnswer, viewer: Viewer) -> str | None:
    """What became of the yes of `viewer`, or would; None where he has not said it and may."""
    has_voted = any(vote.by == viewer.user for vote in approval.votes)
    if approval.void is not None:
        return None
    if approval.state == "approved":
        return f"{'You said yes, and it' if has_voted else 'It'} is approved: {RUNS}."
    if has_voted:
        return "You said yes; it waits for others, and a no ends it still."
    return None if approval.may_approve else "Your yes does not count here."


def _yes(approval: ApprovalAnswer, viewer: Viewer, bound: Sequence[Html], *, careful: bool) -> Iterable[Html]:
    question = viewer.question
    if question is not None and not question.ask:
        yield cannot_confirm(question, f"/a/{approval.id}")
        return
    sure = tag(
        "label", tag("input", type="checkbox", name="sure", value="yes", required=True),
        " I have checked whom it reaches and what it does; it cannot be approved by one key.", class_="w",
    )  # fmt: skip
    yes = button("Approve", "approve", "yes", "a")
    confirm, ask = confirmation_fields(question)
    # The first form alone is asked about by its own nonce: one question, one answer.
    yield tag("form", *bound, *confirm, *((sure,) if careful else ()), yes, class_="d", method="post", data_ask=ask)
    yield from _edit(approval, (*bound, *confirm), ask)


def confirmation_fields(question: PasskeyQuestion | None) -> tuple[Sequence[Html], str | None]:
    """The fields of a form that a passkey signs, and what the browser is asked; neither where none has to."""
    if question is None or not question.ask:
        return (), None
    notice = tag("p", "Your passkey confirms it.", data_told=True, class_="w")
    return (hidden("ask", question.nonce), hidden("confirmed", ""), notice), question.ask


def cannot_confirm(question: PasskeyQuestion, path: str) -> Html:
    """Why a passkey cannot be asked, and where it can."""
    link = (tag("a", "Open it there", href=f"{question.place}{path}"),) if question.place else ()
    return tag("p", tag("strong", "It is confirmed with a passkey here. "), question.why, " ", *link)


def _no(bound: Sequence[Html]) -> Iterable[Html]:
    note = tag("input", name="note", maxlength="500")
    labels = (
        tag("label", "Why not: the agent is told ", _reasons()),
        tag("label", "And for people, on the ledger ", note),
    )
    yield tag("form", *bound, *labels, button("Deny", "deny", "no", "d"), class_="d", method="post")


def _reasons(chosen: str = "") -> Html:
    none = () if chosen else (tag("option", "(no reason)", value=""),)
    options = [
        tag("option", sentence, value=reason.value, selected=reason.value == chosen)
        for reason, sentence in SENTENCES.items()
    ]
    return tag("select", *none, *options, name="reason")


def _edit(approval: ApprovalAnswer, bound: Sequence[Html], ask: str | None) -> Iterable[Html]:
    """Other arguments than were asked for, where the routes let people give some and they are short enough."""
    arguments = approval.arguments if approval.edit is None else approval.edit.arguments
    json_text = editable_json(arguments)
    if not approval.may_edit or not isinstance(arguments, dict) or len(json_text) > EDITED_CHARS_MAX:
        return
    area = tag(
        "textarea", json_text, name="arguments", rows=str(min(20, json_text.count("\n") + 2)), spellcheck="false"
    )
    others = ", ".join(vote.by for vote in approval.votes)
    void = f" {others} said yes to something else then, and has to say it again." if others else ""
    label = tag("label", f"These run instead, and the agent is told so.{void} ", area, class_="w")
    yes = button("Approve with these arguments", "edit", "yes")
    yield _details(
        "Approve with other arguments", tag("form", *bound, label, yes, class_="d", method="post", data_ask=ask)
    )


def _grant(bound: Sequence[Html]) -> Iterable[Html]:
    scope = tag(
        "select", tag("option", "the rest of this session", value="session"),
        tag("option", "this tool, until a time", value="tool"), name="scope",
    )  # fmt: skip
    hours = tag("input", name="hours", inputmode="decimal", maxlength="8")
    uses = tag("input", name="uses", inputmode="numeric", maxlength="7")
    where = tag("textarea", name="where", rows="2", spellcheck="false", placeholder="to=ana\namount<=100")
    fields = (
        tag("label", "For ", scope), tag("label", "Hours, of a tool ", hours), tag("label", "Uses at most ", uses),
        tag("label", "Arguments of the tool held, one on a line ", where, class_="w"),
    )  # fmt: skip
    see = button("See what that would cover", "terms", None)
    yield _details("Grant more than this one action", tag("form", *bound, *fields, see, class_="d", method="post"))


def _delegate(approval: ApprovalAnswer, viewer: Viewer, bound: Sequence[Html]) -> Iterable[Html]:
    title, question = "Let somebody else decide it", viewer.question
    if question is not None and not question.ask:
        yield _details(title, cannot_confirm(question, f"/a/{approval.id}"))
        return
    confirm, ask = confirmation_fields(question)
    to = tag("input", name="to", maxlength="63", required=True, autocapitalize="none")
    minutes = tag("input", name="minutes", inputmode="numeric", value="60", maxlength="6", required=True)
    fields = tag("label", "To the user ", to), tag("label", "For how many minutes ", minutes)
    inner = *bound, *confirm, *fields, button("Delegate", "delegate", None)
    yield _details(title, tag("form", *inner, class_="d", method="post", data_ask=ask))


def _stop(bound: Sequence[Html]) -> Iterable[Html]:
    note = tag("input", name="note", maxlength="500")
    sure = _sure(" Stop the session that asked, with all that was delegated from it.")
    why = (
        tag("label", "The agent is told ", _reasons("suspicious")),
        tag("label", "Why, for people, on the ledger ", note),
    )
    stop = button("Stop the session", "stop", "no")
    yield _details("Stop the session", tag("form", *bound, *why, sure, stop, class_="d", method="post"))


def _glass(approval: ApprovalAnswer, bound: Sequence[Html], question: PasskeyQuestion | None) -> Iterable[Html]:
    if question is not None and not question.ask:
        yield _details("Break the glass", cannot_confirm(question, f"/a/{approval.id}"))
        return
    confirm, ask = confirmation_fields(question)
    why = tag("label", "What the emergency is ", tag("input", name="why", maxlength="1000", required=True), class_="w")
    sure = _sure(" I lift every gate alone, for five minutes, under my name; somebody else looks at it later.")
    inner = *bound, *confirm, why, sure, button("Break the glass", "glass", "no")
    form = tag("form", *inner, class_="d", method="post", data_ask=ask)
    yield _details("Break the glass", form)


def _sure(sentence: str) -> Html:
    return tag("label", tag("input", type="checkbox", name="sure", value="yes", required=True), sentence, class_="w")


def _details(title: str, form: Html) -> Html:
    return tag("details", tag("summary", title), form)


def button(label: str, choice: str, kind: str | None, key: str = "") -> Html:
    """What sends a form."""
    inner = (f"{label} ", tag("kbd", key)) if key else (label,)
    return tag("button", *inner, class_=kind, name="choice", value=choice)


def hidden(name: str, value: str) -> Html:
    """A field that nobody sees."""
    return tag("input", type="hidden", name=name, value=value)


def editable_json(value: JsonValue) -> str:
    """`value` as JSON that a person edits: what he would not see, or see elsewhere, stands as an escape of JSON."""
    plain = json.dumps(value, indent=1, ensure_ascii=False)
    return "".join(
        character if escaped(character) == character and character != "\t" else json.dumps(character)[1:-1]
        for character in plain
    )


def terms(
    granted: GrantAnswer, viewer: Viewer, nonce: str, fields: Sequence[tuple[str, str]], sizes: tuple[int, int]
) -> Iterable[Html]:
    """What a grant would lift, and would have lifted last week, and the form that gives it, as its `fields` were given.

    Texts are cut to the first of `sizes`, lists to the second.
    """
    chars_max, lines_max = sizes
    ours = [
        ("for", "the rest of this session" if granted.scope == "session" else "this tool, in every session"),
        ("agents", " → ".join(granted.agents)),
        ("user", granted.user or "nobody"),
        ("tool", granted.tool),
        ("gates", ", ".join(granted.gates)),
        ("until", f"{granted.expires}, {granted.uses_max} uses at most"),
    ]
    constraints = [f"{constraint.name}{constraint.bound}{constraint.value}" for constraint in granted.where]
    limits = [
        *granted.values,
        *granted.carried,
        *constraints,
        *(f"{name} <= {most}" for name, most in granted.measures.items()),
    ]
    rows = [
        (tag("dt", name), tag("dd", tag("bdi", shortened(value, chars_max), class_="given"))) for name, value in ours
    ]
    yield tag("dl", *(part for row in rows for part in row))
    if limits:
        yield tag("h2", "Held to")
        yield tag(
            "ul",
            *(
                tag("li", tag("bdi", shortened(constraint, chars_max), class_="given"))
                for constraint in limits[:lines_max]
            ),
        )
    if len(limits) > lines_max:
        yield tag("p", f"and {len(limits) - lines_max} more")
    week = granted.last_week
    if week is not None:
        yield tag("p", tag("strong", f"Of {week.of} asks of last week it would have covered {week.count}."))
    if viewer.question is not None and not viewer.question.ask:
        yield cannot_confirm(viewer.question, f"/a/{granted.approval}")
        return
    confirm, ask = confirmation_fields(viewer.question)
    bound = hidden("csrf", viewer.csrf), hidden("shown", nonce), *(hidden(name, value) for name, value in fields)
    sure = _sure(" I have read what it covers: it lifts these gates without asking anybody.")
    give = button("Approve and grant", "grant", "yes")
    form = tag(
        "form", *bound, *confirm, sure, give, class_="d", method="post", action=f"/a/{granted.approval}", data_ask=ask
    )
    yield form
    yield tag("p", tag("a", "Back", href=f"/a/{granted.approval}"))
