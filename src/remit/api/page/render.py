"""A brief as a page: facts first, the form last. At most `PAGE_BYTES_MAX`, whatever stands in it."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

from pydantic import JsonValue

from remit.api.answers_decided import ApprovalAnswer
from remit.api.page.html import Html, joined, tag, text
from remit.api.page.look import SCRIPT, STYLE
from remit.escalate.brief import Brief, Case, Line, Stop, arrange
from remit.escalate.refusals import SENTENCES
from remit.escalate.wording import Span, shortened
from remit.facts.text import escaped

PAGE_BYTES_MAX: Final = 30_000
_SIZES: Final = ((400, 24), (200, 16), (100, 12), (60, 8), (30, 5), (16, 3))
"""Characters of a text and lines of a list, each tried until the page is small enough."""
_NAMED_MAX: Final = 10
EDITED_CHARS_MAX: Final = 4_000


def fitted(told: ApprovalAnswer, case: Case, now_ms: int, user: str, csrf: str) -> tuple[Brief, bytes]:
    """The brief of `case` and its page for `user`, cut until the page is small enough."""
    for chars_max, lines_max in _SIZES:
        brief = arrange(case, chars_max=chars_max, lines_max=lines_max)
        made = page(f"{told.state}: {told.tool}", *_decision(told, brief, now_ms, user, csrf, case.approval.shown))
        if len(made) <= PAGE_BYTES_MAX:
            return brief, made
    # No text is left to cut: something else is too long, which nothing of Remit's is.
    why = f"this approval is too long for a page: remit approvals show {told.id}"
    return arrange(case, chars_max=0, lines_max=0), message("too long", why, "/a/")


def page(title: str, *inner: str) -> bytes:
    """A whole document."""
    head = joined(
        (
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"Remit: {title[:80]}"),
            Html(f"<style>{STYLE}</style>"),
        )
    )
    body = tag("body", tag("main", *inner), Html(f"<script>{SCRIPT}</script>"))
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>'.encode()


def _decision(told: ApprovalAnswer, brief: Brief, now_ms: int, user: str, csrf: str, shown: str) -> Iterable[Html]:
    yield header(user, csrf, told.id, tag("span", told.state, class_="state"), _countdown(told, brief, now_ms))
    yield tag("h1", *_spans(brief.what))
    yield from _list(None, brief.shows)
    yield tag("h2", "Why it stopped")
    for stop in brief.stops:
        yield from _stop(stop)
    yield from _list("On whose authority", brief.chain)
    yield from _list("Every value", brief.values)
    if not brief.whole:
        more = f"{brief.unlisted} more values are not shown. " if brief.unlisted else "Some values are shown in part. "
        yield tag("p", more, tag("a", "All of it, byte for byte", href=f"/a/{told.id}/arguments"))
    yield from _list("What it can do", brief.impact)
    yield tag("h2", "Before, and instead")
    yield tag("p", brief.precedent)
    for safer in brief.safer:
        yield tag("p", "Permitted without asking: ", tag("bdi", safer.change))
        yield tag("pre", f"{safer.tool} {safer.arguments}")
    if brief.reason:
        yield tag("h2", "The agent says, and may be wrong or misled")
        yield tag("blockquote", "“", *_spans(brief.reason), "”")
    if told.edit is not None:
        yield tag("p", tag("strong", f"{told.edit.by} changed the arguments: what is shown is what would run."))
    yield tag("h2", "Your decision")
    yield tag("p", "At zero: ", brief.zero, ".")
    yield from _form(told, brief, csrf, shown)


def header(user: str, csrf: str, back: str, *inner: str) -> Html:
    """What is above every page of somebody who is signed in."""
    bound = _hidden("csrf", csrf), _hidden("next", back)
    out = tag("form", *bound, tag("button", "Sign out"), method="post", action="/a/sign-out")
    ours = tag("a", "All that waits", href="/a/"), tag("span", back)
    return tag("header", *ours, *inner, tag("span", f"you are {user}"), out)


def _countdown(told: ApprovalAnswer, brief: Brief, now_ms: int) -> Html:
    left = max(0, (brief.expires_ms - now_ms) // 1000)
    if told.state not in {"pending", "approved"}:
        return tag("span", f"until {told.expires}")
    return tag("span", f"{left} s left, until {told.expires}", data_left=str(left))


def _stop(stop: Stop) -> Iterable[Html]:
    where = "" if stop.where is None else f" ({stop.where})"
    yield tag("p", tag("strong", tag("bdi", stop.text)))
    yield tag("small", f"policy {stop.policy}{where}, route {stop.route}")
    if stop.lines:
        yield tag("pre", "\n".join(stop.lines))


def _list(title: str | None, lines: Sequence[Line]) -> Iterable[Html]:
    if not lines:
        return
    if title is not None:
        yield tag("h2", title)
    items: list[Html] = []
    for line in lines:
        items.append(tag("dt", line.label, class_="g" if line.gate else None))
        note = (tag("small", line.note),) if line.note else ()
        items.append(tag("dd", tag("span", *_spans(line.spans), data_value=line.label[:80]), *note))
    yield tag("dl", *items)


def _spans(spans: Iterable[Span]) -> Iterable[Html]:
    return (tag("bdi", span.text, class_=span.mark) if span.mark else text(span.text) for span in spans)


def _hidden(name: str, value: str) -> Html:
    return tag("input", type="hidden", name=name, value=value)


def _form(told: ApprovalAnswer, brief: Brief, csrf: str, shown: str) -> Iterable[Html]:
    for seat in told.seats:
        names = seat.eligible or []
        more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
        who = (", ".join(names[:_NAMED_MAX]) or "nobody") + more
        yield tag("p", f"Route {seat.route}: {len(seat.by)} of {seat.count} said yes; {who} may.")
    if told.void is not None:
        yield tag("p", f"Nothing can come of it: {told.void}.")
    if told.state not in {"pending", "approved"}:
        by = f" by {told.refused_by}" if told.refused_by else ""
        yield tag("p", tag("strong", f"It is {told.state}{by}."))
        return
    bound = (_hidden("csrf", csrf), _hidden("shown", shown))
    if told.may_approve:
        sure = tag(
            "label", tag("input", type="checkbox", name="sure", value="yes", required=True),
            " I have checked whom it reaches and what it does; it cannot be approved by one key.", class_="w",
        )  # fmt: skip
        yes = tag("button", "Approve ", tag("kbd", "a"), class_="yes", name="choice", value="approve")
        yield tag("form", *bound, *((sure,) if brief.careful else ()), yes, class_="d", method="post")
        yield from _edit(told, bound)
    else:
        yield tag("p", "Your yes does not count here.")
    reasons = [tag("option", said, value=reason.value) for reason, said in SENTENCES.items()]
    why = tag("select", tag("option", "(no reason)", value=""), *reasons, name="reason")
    note = tag("input", name="note", maxlength="500")
    asked = tag("label", "Why not: the agent is told ", why), tag("label", "And for people, on the ledger ", note)
    no = tag("button", "Deny ", tag("kbd", "d"), class_="no", name="choice", value="deny")
    yield tag("form", *bound, *asked, no, class_="d", method="post")


def _edit(told: ApprovalAnswer, bound: Sequence[Html]) -> Iterable[Html]:
    """Other arguments than were asked for, where the routes let people give some and they are short enough."""
    given = told.arguments if told.edit is None else told.edit.arguments
    said = written(given)
    if not told.may_edit or not isinstance(given, dict) or len(said) > EDITED_CHARS_MAX:
        return
    area = tag("textarea", said, name="arguments", rows=str(min(20, said.count("\n") + 2)), spellcheck="false")
    asked = tag("label", "These run instead, and the agent is told so: ", area, class_="w")
    yes = tag("button", "Approve with these arguments", class_="yes", name="choice", value="edit")
    form = tag("form", *bound, asked, yes, class_="d", method="post")
    yield tag("details", tag("summary", "Approve with other arguments"), form)


def written(given: JsonValue) -> str:
    """`given` as JSON that a person edits: what he would not see, or see elsewhere, stands as an escape of JSON."""
    plain = json.dumps(given, indent=1, ensure_ascii=False)
    return "".join(one if escaped(one) == one and one != "\t" else json.dumps(one)[1:-1] for one in plain)


def sign_in(back: str, why: str = "") -> bytes:
    """Where a person says who he is."""
    token = tag("input", name="token", type="password", autocomplete="off", required=True)
    asked = tag("label", "Your user token ", token, class_="w"), tag("button", "Sign in")
    form = tag("form", _hidden("next", back), *asked, class_="d", method="post", action="/a/sign-in")
    said = (tag("p", tag("strong", why)),) if why else ()
    how = tag("p", "Whoever runs Remit gives you one: ", tag("code", "remit token user NAME"))
    return page("sign in", tag("h1", "Who are you?"), *said, form, how)


def message(status: str, why: str, back: str | None, next: str = "") -> bytes:
    """A page that says what went wrong, and where to go on."""
    link = () if back is None else (tag("p", tag("a", "Back", href=back)),)
    follows = (tag("p", "next: ", tag("code", next)),) if next else ()
    return page(status, tag("h1", status), tag("p", why), *follows, *link)


def waiting(items: Sequence[ApprovalAnswer], user: str, csrf: str) -> bytes:
    """What waits for `user`."""
    rows = [
        tag(
            "li", tag("a", f"{one.agent}: {shortened(one.tool, 120)}", href=f"/a/{one.id}"),
            tag("small", f"{one.state}, {', '.join(gate.policy for gate in one.gates[:3])}, until {one.expires}"),
        )
        for one in items
    ]  # fmt: skip
    body = tag("ul", *rows) if rows else tag("p", "Nothing waits for you.")
    return page("what waits", header(user, csrf, ""), tag("h1", "What waits for you"), body)
