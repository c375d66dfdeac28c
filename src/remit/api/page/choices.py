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
from remit.escalate.wording import route_standing, shortened
from remit.facts.text import escaped

EDITED_CHARS_MAX: Final = 4_000
_OPEN: Final = frozenset({"pending", "approved"})


class Viewer(NamedTuple):
    """Who looks: the `user`, what his forms carry, and how he confirms a yes and broken `glass`, where he has to."""

    user: str
    csrf: str
    asked: PasskeyQuestion | None = None
    grants: bool = False
    delegates: bool = False
    stops: bool = False
    breaks: bool = False
    glass: PasskeyQuestion | None = None


def forms(told: ApprovalAnswer, viewer: Viewer, shown: str, *, careful: bool) -> Iterable[Html]:
    """How the routes stand, and what `viewer` may do."""
    for seat in told.seats:
        said = route_standing(seat.route, seat.count, seat.by, seat.eligible, seat.short)
        yield tag("p", f"{said[0].upper()}{said[1:]}.")
    if told.void is not None:
        yield tag("p", f"Nothing can come of it: {told.void}.")
    bound = (hidden("csrf", viewer.csrf), hidden("shown", shown))
    if told.state not in _OPEN:
        yield tag("p", tag("strong", f"It is {told.state}."))
        if viewer.stops:
            yield from _stop(bound)
        return
    if told.may_approve:
        yield from _yes(told, viewer, bound, careful=careful)
    else:
        yield tag("p", "Your yes does not count here.")
    yield from _no(bound)
    if viewer.grants:
        yield from _grant(bound)
    if viewer.delegates:
        yield from _delegate(told, viewer, bound)
    if viewer.stops:
        yield from _stop(bound)
    if viewer.breaks:
        yield from _glass(told, bound, viewer.glass)


def _yes(told: ApprovalAnswer, viewer: Viewer, bound: Sequence[Html], *, careful: bool) -> Iterable[Html]:
    asked = viewer.asked
    if asked is not None and not asked.ask:
        yield cannot(asked, f"/a/{told.id}")
        return
    sure = tag(
        "label", tag("input", type="checkbox", name="sure", value="yes", required=True),
        " I have checked whom it reaches and what it does; it cannot be approved by one key.", class_="w",
    )  # fmt: skip
    yes = button("Approve", "approve", "yes", "a")
    confirm, ask = confirmed(asked)
    # The first form alone is asked about by its own nonce: one question, one answer.
    yield tag("form", *bound, *confirm, *((sure,) if careful else ()), yes, class_="d", method="post", data_ask=ask)
    yield from _edit(told, (*bound, *confirm), ask)


def confirmed(asked: PasskeyQuestion | None) -> tuple[Sequence[Html], str | None]:
    """The fields of a form that a passkey signs, and what the browser is asked; neither where none has to."""
    if asked is None or not asked.ask:
        return (), None
    told = tag("p", "Your passkey confirms it.", data_told=True, class_="w")
    return (hidden("ask", asked.nonce), hidden("confirmed", ""), told), asked.ask


def cannot(asked: PasskeyQuestion, path: str) -> Html:
    """Why a passkey cannot be asked, and where it can."""
    link = (tag("a", "Open it there", href=f"{asked.place}{path}"),) if asked.place else ()
    return tag("p", tag("strong", "It is confirmed with a passkey here. "), asked.why, " ", *link)


def _no(bound: Sequence[Html]) -> Iterable[Html]:
    note = tag("input", name="note", maxlength="500")
    asked = (
        tag("label", "Why not: the agent is told ", _reasons()),
        tag("label", "And for people, on the ledger ", note),
    )
    yield tag("form", *bound, *asked, button("Deny", "deny", "no", "d"), class_="d", method="post")


def _reasons(chosen: str = "") -> Html:
    none = () if chosen else (tag("option", "(no reason)", value=""),)
    found = [
        tag("option", said, value=reason.value, selected=reason.value == chosen) for reason, said in SENTENCES.items()
    ]
    return tag("select", *none, *found, name="reason")


def _edit(told: ApprovalAnswer, bound: Sequence[Html], ask: str | None) -> Iterable[Html]:
    """Other arguments than were asked for, where the routes let people give some and they are short enough."""
    given = told.arguments if told.edit is None else told.edit.arguments
    said = written(given)
    if not told.may_edit or not isinstance(given, dict) or len(said) > EDITED_CHARS_MAX:
        return
    area = tag("textarea", said, name="arguments", rows=str(min(20, said.count("\n") + 2)), spellcheck="false")
    others = ", ".join(vote.by for vote in told.votes)
    void = f" {others} said yes to something else then, and has to say it again." if others else ""
    asked = tag("label", f"These run instead, and the agent is told so.{void} ", area, class_="w")
    yes = button("Approve with these arguments", "edit", "yes")
    yield _folded(
        "Approve with other arguments", tag("form", *bound, asked, yes, class_="d", method="post", data_ask=ask)
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
    yield _folded("Grant more than this one action", tag("form", *bound, *fields, see, class_="d", method="post"))


def _delegate(told: ApprovalAnswer, viewer: Viewer, bound: Sequence[Html]) -> Iterable[Html]:
    title, asked = "Let somebody else decide it", viewer.asked
    if asked is not None and not asked.ask:
        yield _folded(title, cannot(asked, f"/a/{told.id}"))
        return
    confirm, ask = confirmed(asked)
    to = tag("input", name="to", maxlength="63", required=True, autocapitalize="none")
    minutes = tag("input", name="minutes", inputmode="numeric", value="60", maxlength="6", required=True)
    fields = tag("label", "To the user ", to), tag("label", "For how many minutes ", minutes)
    inner = *bound, *confirm, *fields, button("Delegate", "delegate", None)
    yield _folded(title, tag("form", *inner, class_="d", method="post", data_ask=ask))


def _stop(bound: Sequence[Html]) -> Iterable[Html]:
    note = tag("input", name="note", maxlength="500")
    sure = _sure(" Stop the session that asked, with all that was delegated from it.")
    why = (
        tag("label", "The agent is told ", _reasons("suspicious")),
        tag("label", "Why, for people, on the ledger ", note),
    )
    stop = button("Stop the session", "stop", "no")
    yield _folded("Stop the session", tag("form", *bound, *why, sure, stop, class_="d", method="post"))


def _glass(told: ApprovalAnswer, bound: Sequence[Html], asked: PasskeyQuestion | None) -> Iterable[Html]:
    if asked is not None and not asked.ask:
        yield _folded("Break the glass", cannot(asked, f"/a/{told.id}"))
        return
    confirm, ask = confirmed(asked)
    why = tag("label", "What the emergency is ", tag("input", name="why", maxlength="1000", required=True), class_="w")
    sure = _sure(" I lift every gate alone, for five minutes, under my name; somebody else looks at it later.")
    inner = *bound, *confirm, why, sure, button("Break the glass", "glass", "no")
    form = tag("form", *inner, class_="d", method="post", data_ask=ask)
    yield _folded("Break the glass", form)


def _sure(said: str) -> Html:
    return tag("label", tag("input", type="checkbox", name="sure", value="yes", required=True), said, class_="w")


def _folded(title: str, form: Html) -> Html:
    return tag("details", tag("summary", title), form)


def button(said: str, choice: str, kind: str | None, key: str = "") -> Html:
    """What sends a form."""
    inner = (f"{said} ", tag("kbd", key)) if key else (said,)
    return tag("button", *inner, class_=kind, name="choice", value=choice)


def hidden(name: str, value: str) -> Html:
    """A field that nobody sees."""
    return tag("input", type="hidden", name=name, value=value)


def written(given: JsonValue) -> str:
    """`given` as JSON that a person edits: what he would not see, or see elsewhere, stands as an escape of JSON."""
    plain = json.dumps(given, indent=1, ensure_ascii=False)
    return "".join(one if escaped(one) == one and one != "\t" else json.dumps(one)[1:-1] for one in plain)


def terms(
    granted: GrantAnswer, viewer: Viewer, shown: str, said: Sequence[tuple[str, str]], sizes: tuple[int, int]
) -> Iterable[Html]:
    """What a grant would lift, and would have lifted last week, and the form that gives it as it was `said`.

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
    held = [f"{one.name}{one.bound}{one.value}" for one in granted.where]
    seen = [*granted.values, *granted.carried, *held, *(f"{name} <= {most}" for name, most in granted.measures.items())]
    rows = [
        (tag("dt", name), tag("dd", tag("bdi", shortened(value, chars_max), class_="given"))) for name, value in ours
    ]
    yield tag("dl", *(part for row in rows for part in row))
    if seen:
        yield tag("h2", "Held to")
        yield tag("ul", *(tag("li", tag("bdi", shortened(one, chars_max), class_="given")) for one in seen[:lines_max]))
    if len(seen) > lines_max:
        yield tag("p", f"and {len(seen) - lines_max} more")
    week = granted.last_week
    if week is not None:
        yield tag("p", tag("strong", f"Of {week.of} asks of last week it would have covered {week.count}."))
    if viewer.asked is not None and not viewer.asked.ask:
        yield cannot(viewer.asked, f"/a/{granted.approval}")
        return
    confirm, ask = confirmed(viewer.asked)
    bound = hidden("csrf", viewer.csrf), hidden("shown", shown), *(hidden(name, value) for name, value in said)
    sure = _sure(" I have read what it covers: it lifts these gates without asking anybody.")
    give = button("Approve and grant", "grant", "yes")
    form = tag(
        "form", *bound, *confirm, sure, give, class_="d", method="post", action=f"/a/{granted.approval}", data_ask=ask
    )
    yield form
    yield tag("p", tag("a", "Back", href=f"/a/{granted.approval}"))
