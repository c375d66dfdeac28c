"""A brief as a page: facts first, the form last. At most `PAGE_BYTES_MAX`, whatever stands in it."""

from collections.abc import Iterable, Sequence
from typing import Final

from remit.api.answers_decided import ApprovalAnswer
from remit.api.answers_grants import GrantAnswer
from remit.api.moments import instant, moment_of
from remit.api.page.choices import Viewer, button, cannot_confirm, confirmation_fields, forms, hidden, terms
from remit.api.page.document import page
from remit.api.page.html import Html, tag, text
from remit.api.page.passkey_question import PasskeyQuestion
from remit.api.passkeys import handle
from remit.escalate.brief import BlockingPolicy, Brief, BriefInput, BriefLine, BriefPreview, arrange
from remit.escalate.wording import TextSpan, shortened
from remit.facts.durations import SECOND_MS, spelled
from remit.facts.passkey import Passkey

PAGE_BYTES_MAX: Final = 30_000
_SIZES: Final = ((400, 24), (200, 16), (100, 12), (60, 8), (30, 5), (16, 3))
"""Characters of a text and lines of a list, each tried until the page is small enough."""
_ROWS: Final = (25, 12, 6)
"""Approvals of a list, likewise."""


def fit_page(approval: ApprovalAnswer, case: BriefInput, now_ms: int, viewer: Viewer) -> tuple[Brief, bytes]:
    """The brief of `case` and its page for `viewer`, cut until the page is small enough."""
    for chars_max, lines_max in _SIZES:
        brief = arrange(case, chars_max=chars_max, lines_max=lines_max)
        body = page(
            f"{approval.state}: {approval.tool}", *_decision(approval, brief, now_ms, viewer, case.approval.shown)
        )
        if len(body) <= PAGE_BYTES_MAX:
            return brief, body
    # No text is left to cut: something else is too long, which nothing of Remit's is.
    why = f"this approval is too long for a page: remit approvals show {approval.id}"
    return arrange(case, chars_max=0, lines_max=0), message("too long", why, "/a/")


def _decision(approval: ApprovalAnswer, brief: Brief, now_ms: int, viewer: Viewer, nonce: str) -> Iterable[Html]:
    stands = tag("span", approval.state, class_="state"), _countdown(approval, brief, now_ms)
    yield header(viewer, approval.id, *stands, _onward(approval, viewer))
    yield tag("h1", *_spans(brief.what))
    if approval.edit is not None:
        yield tag("p", tag("strong", f"{approval.edit.by} changed the arguments: what is shown is what would run."))
    yield from _list(None, brief.shows)
    if brief.preview is not None:
        yield from _preview(brief.preview)
    yield tag("h2", "Why it stopped")
    for stop in brief.stops:
        yield from _stop(stop)
    yield from _list("On whose authority", brief.chain)
    yield from _list("Every value", brief.values)
    if not brief.whole:
        more = f"{brief.unlisted} more values are not shown. " if brief.unlisted else "Some values are shown in part. "
        yield tag("p", more, tag("a", "All of it, byte for byte", href=f"/a/{approval.id}/arguments"))
    yield from _list("What it can do", brief.impact)
    yield tag("h2", "Before, and instead")
    yield tag("p", brief.precedent)
    for safer in brief.safer:
        yield tag("p", "Permitted without asking: ", tag("bdi", safer.change))
        yield tag("pre", f"{safer.tool} {safer.arguments}")
    if brief.reason:
        yield tag("h2", "The agent says, and may be wrong or misled")
        yield tag("blockquote", "“", *_spans(brief.reason), "”")
    for remark in brief.remarks:
        yield tag("p", f"{remark.by} {remark.act}: “", tag("bdi", remark.text), "”")
    yield tag("h2", "Your decision", id="decide")
    yield tag("p", "At zero: " if approval.state in {"pending", "approved"} else "", brief.zero, ".")
    yield from forms(approval, viewer, nonce, careful=brief.careful)


def header(viewer: Viewer, back: str, *inner: str) -> Html:
    """What is above every page of somebody who is signed in."""
    bound = hidden("csrf", viewer.csrf), hidden("next", back)
    out = tag("form", *bound, tag("button", "Sign out"), method="post", action="/a/sign-out")
    ours = tag("a", "All that waits", href="/a/"), tag("span", back)
    return tag("header", *ours, *inner, tag("span", f"you are {viewer.user}"), out)


def _countdown(approval: ApprovalAnswer, brief: Brief, now_ms: int) -> Html:
    left = max(0, (brief.expires_ms - now_ms) // 1000)
    if approval.state not in {"pending", "approved"}:
        return tag("span", f"until {approval.expires}")
    return tag("span", f"{spelled(left)} left, until {approval.expires}", data_left=str(left))


def _onward(approval: ApprovalAnswer, viewer: Viewer) -> Html:
    """Where a person goes from the head of the page: to what he decides here, or to the next that waits for him."""
    if approval.state == "pending" and all(vote.by != viewer.user for vote in approval.votes):
        return tag("a", "Decide ", tag("kbd", "a"), " ", tag("kbd", "d"), href="#decide")
    return tag("a", "Next that waits ", tag("kbd", "n"), href="/a/next")


def _preview(preview: BriefPreview) -> Iterable[Html]:
    yield tag("h2", "What the tool says it would do")
    if preview.why:
        yield tag("p", f"{'It failed' if preview.lines else 'No preview'}: {preview.why}.")
    if preview.lines:
        yield tag("pre", tag("bdi", "\n".join(preview.lines), class_="given"))
        labels = f", with {', '.join(preview.labels)} in it" if preview.labels else ""
        yield tag("small", f"by a dry run of {preview.by}{labels}; nobody checked it, and it may not be what happens")


def _stop(stop: BlockingPolicy) -> Iterable[Html]:
    where = "" if stop.where is None else f" ({stop.where})"
    yield tag("p", tag("strong", tag("bdi", stop.text)))
    yield tag("small", f"policy {stop.policy}{where}, route {stop.route}")
    if stop.lines:
        # Folded: it is long, and what is decided are the values beneath it.
        yield tag("details", tag("summary", "The policy's own text"), tag("pre", "\n".join(stop.lines)))


def _list(title: str | None, lines: Sequence[BriefLine]) -> Iterable[Html]:
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


def _spans(spans: Iterable[TextSpan]) -> Iterable[Html]:
    return (tag("bdi", span.text, class_=span.mark) if span.mark else text(span.text) for span in spans)


def sign_in(back: str, why: str = "") -> bytes:
    """Where a person says who he is."""
    token = tag("input", name="token", type="password", autocomplete="off", required=True)
    fields = tag("label", "Your user token ", token, class_="w"), tag("button", "Sign in")
    form = tag("form", hidden("next", back), *fields, class_="d", method="post", action="/a/sign-in")
    reason = (tag("p", tag("strong", why)),) if why else ()
    how = tag("p", "Whoever runs Remit gives you one: ", tag("code", "remit token user NAME"))
    return page("sign in", tag("h1", "Who are you?"), *reason, form, how)


def coming(place: str) -> bytes:
    """What leads on to `place` whoever comes from another site: from here his browser says that he is signed in."""
    return page("one moment", tag("h1", "One moment"), tag("p", tag("a", "Go on", href=place)))


def message(status: str, why: str, back: str | None, next: str = "") -> bytes:
    """A page that says what went wrong, and where to go on."""
    link = () if back is None else (tag("p", tag("a", "Back", href=back)),)
    follows = (tag("p", "next: ", tag("code", next)),) if next else ()
    return page(status, tag("h1", status), tag("p", why), *follows, *link)


def is_his(approval: ApprovalAnswer, user: str) -> bool:
    """Whether `approval` waits for `user`."""
    return approval.may_approve and all(vote.by != user for vote in approval.votes)


def waiting(items: Sequence[ApprovalAnswer], viewer: Viewer, now_ms: int, more: int = 0) -> bytes:
    """What waits for `viewer`, and beneath it what waits for others, or for an agent; `more` are not listed."""
    body = _waiting(items, viewer, now_ms, more)
    for rows in _ROWS:
        if len(body) <= PAGE_BYTES_MAX:
            break
        body = _waiting(items[:rows], viewer, now_ms, more + max(0, len(items) - rows))
    return body


def _waiting(items: Sequence[ApprovalAnswer], viewer: Viewer, now_ms: int, more: int) -> bytes:
    his = [approval for approval in items if is_his(approval, viewer.user)]
    others = [approval for approval in items if approval not in his]
    body = tag("ul", *_rows(his, now_ms)) if his else tag("p", "Nothing waits for you.")
    beneath = (tag("h2", "What waits for others"), tag("ul", *_rows(others, now_ms))) if others else ()
    further = (tag("p", tag("strong", f"{more:,} more, whose time ends later: "), tag("code", "remit approvals ls")),)
    keys = tag("p", tag("a", "Your passkeys", href="/a/passkeys"))
    head = header(viewer, ""), tag("h1", "What waits for you")
    return page("what waits", *head, body, *beneath, *further[: bool(more)], keys)


def _rows(items: Iterable[ApprovalAnswer], now_ms: int) -> Iterable[Html]:
    for item in items:
        what = shortened(item.tool, 120) if item.what is None else item.what
        gates = ", ".join(gate.policy for gate in item.gates[:3])
        left = max(0, (moment_of(item.expires) - now_ms) // SECOND_MS)
        void = f", nothing can come of it: {item.void}" if item.void else ""
        yield tag(
            "li", tag("a", f"{item.agent}: ", tag("bdi", what), href=f"/a/{item.id}"),
            tag("small", tag("span", f"{spelled(left)} left", data_left=str(left)), f", {item.state}, {gates}{void}"),
        )  # fmt: skip


def granting(granted: GrantAnswer, viewer: Viewer, nonce: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """What a grant would lift, before it is given."""
    for sizes in _SIZES:
        inner = terms(granted, viewer, nonce, fields, sizes)
        body = page("grant", header(viewer, granted.approval), tag("h1", "What this would grant"), *inner)
        if len(body) <= PAGE_BYTES_MAX:
            return body
    return message("too long", "these terms are too long for a page: remit approvals approve --dry-run", "/a/")


def passkeys(registered: Sequence[Passkey], viewer: Viewer, removing: PasskeyQuestion) -> bytes:
    """The passkeys of `viewer`, the form that ends one, by one of them, and the form that registers one."""
    rows = [
        tag("li", passkey.name, tag("small", f"since {instant(passkey.at_ms)}, signed {passkey.count} times"))
        for passkey in registered
    ]
    list_ = tag("ul", *rows) if rows else tag("p", "You have none.")
    head = header(viewer, ""), tag("h1", "Your passkeys"), list_, *_removal(registered, viewer, removing)
    question = viewer.question
    if question is None or not question.ask:
        why = () if question is None else (cannot_confirm(question, "/a/passkeys"),)
        return page("passkeys", *head, *why)
    confirm, ask = confirmation_fields(question)
    word = tag("label", "The word of your invitation ", tag("input", name="word", required=True, autocomplete="off"))
    name = tag("label", "What you call it ", tag("input", name="name", required=True, maxlength="60"))
    make = tag("button", "Register a passkey", class_="yes")
    form = tag(
        "form", hidden("csrf", viewer.csrf), *confirm, word, name, make,
        class_="d", method="post", action="/a/passkeys", data_ask=ask, data_make=True,
    )  # fmt: skip
    how = tag("p", "Whoever runs Remit invites you: ", tag("code", f"remit passkeys invite {viewer.user}"))
    return page("passkeys", *head, tag("h2", "One more"), form, how)


def _removal(registered: Sequence[Passkey], viewer: Viewer, removing: PasskeyQuestion) -> Iterable[Html]:
    if not removing.ask:
        return
    confirm, ask = confirmation_fields(removing)
    which = tag("select", *(tag("option", passkey.name, value=handle(passkey)) for passkey in registered), name="id")
    inner = hidden("csrf", viewer.csrf), *confirm, tag("label", "Which ", which), button("Remove", "remove", "no")
    yield tag("h2", "One less")
    yield tag("form", *inner, class_="d", method="post", action="/a/passkeys", data_ask=ask)
    yield tag(
        "p",
        "Glass asks for a passkey of yours afterwards, too. One that is lost is ended by whoever runs Remit.",
    )
