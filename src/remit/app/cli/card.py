"""The brief of an approval as a card in the terminal.

Whatever stands in it, the frame stays: text from outside is escaped, and so is all that terminals draw in a width of
their own (marks upon letters, pictures).
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from remit.escalate.machine import OPEN
from remit.escalate.wording import grant_standing, route_standing
from remit.facts.durations import spelled
from remit.facts.text import one_line

WIDTH_MAX: Final = 100
_STYLES: Final[Mapping[str, str]] = {
    "": "",
    "given": "cyan",
    "grounded": "green",
    "derived": "green",
    "trusted": "green",
    "untrusted": "bold reverse red",
    "unseen": "bold reverse yellow",
}
_BARS: Final = {"untrusted": "«untrusted: ", "unseen": "«unseen: "}
"""Before what must be told apart without colour too."""
_OPEN: Final = frozenset(state.value for state in OPEN)
_PICTURES: Final = 0x1F000
_JOINING: Final = (("\u1100", "\u11ff"), ("\ua960", "\ua97f"), ("\ud7b0", "\ud7ff"))
_UNEVEN: Final = frozenset({"Mn", "Mc", "Me", "Sk", "Lm", "So"})


def steady(text: str) -> str:
    r"""`text` on one line, with `\u{…}` for every character whose width terminals do not agree on."""
    return "".join(char if _even(char) else f"\\u{{{ord(char):x}}}" for char in one_line(text))


def _even(char: str) -> bool:
    if char <= "~":
        return True
    if unicodedata.category(char) in _UNEVEN or ord(char) >= _PICTURES:
        return False
    # Letters of Hangul by themselves, which some terminals join to one.
    return not any(first <= char <= last for first, last in _JOINING)


def card(approval: Mapping[str, Any], console: Console, now: datetime) -> None:
    """Print `approval`, which holds its `brief`."""
    brief: Mapping[str, Any] = approval["brief"]
    waits = f", {left(brief['expires'], now)}" if approval["state"] in _OPEN else ""
    title = Text(f" {steady(approval['id'])}: {steady(approval['state'])}{waits} ")
    body = Group(*_sections(approval, brief, now))
    console.print(Panel(body, title=title, title_align="left", width=min(console.width, WIDTH_MAX)))


def _sections(approval: Mapping[str, Any], brief: Mapping[str, Any], now: datetime) -> Iterable[RenderableType]:
    yield Text.assemble(Text("asked: ", "bold"), _spans(brief["what"]))
    if (edit := approval.get("edit")) is not None:
        yield Text(f"{steady(edit['by'])} changed the arguments: what is shown is what would run", "bold")
    if brief["shows"]:
        yield _table(brief["shows"])
    if brief["preview"] is not None:
        yield from _preview(brief["preview"])
    yield Rule("why it stopped", align="left")
    yield from map(_stop, brief["stops"])
    yield Rule("on whose authority", align="left")
    yield _table(brief["chain"])
    yield Rule("every value", align="left")
    yield _table(brief["values"])
    if brief["unlisted"]:
        yield Text(
            f"and {brief['unlisted']} more values: remit approvals show {steady(approval['id'])} -o json", "bold"
        )
    yield Rule("what it can do", align="left")
    yield _table(brief["impact"])
    yield Rule("before, and instead", align="left")
    yield Text(steady(brief["precedent"]))
    for safer in brief["safer"]:
        yield Text(f"permitted without asking: {steady(safer['change'])}")
        yield Text(f"  {steady(safer['tool'])} {steady(safer['arguments'])}", "cyan")
    yield from _policies(brief["stops"])
    if brief["reason"]:
        yield Rule("the agent says, and may be wrong or misled", align="left")
        yield Text.assemble("“", _spans(brief["reason"]), "”")
    yield Rule(align="left")
    for remark in brief["remarks"]:
        yield Text(f"{steady(remark['by'])} {steady(remark['did'])}: “{steady(remark['text'])}”")
    rest = f"{left(brief['expires'], now)}; then " if approval["state"] in _OPEN else ""
    yield Text(f"{rest}{steady(brief['zero'])}")
    if approval["void"]:
        yield Text(f"nothing can come of it: {steady(approval['void'])}")
    else:
        yield from map(Text, standing(approval))
    for one in approval.get("grants", ()):  # a service of before tells none
        uses = one["uses"], one["uses_max"]
        yield Text(steady(grant_standing(one["id"], one["by"], one["expires"], uses, one["ended"])))


def _preview(preview: Mapping[str, Any]) -> Iterable[RenderableType]:
    yield Rule("what the tool says it would do", align="left")
    if preview["why"]:
        yield Text(f"{'it failed' if preview['lines'] else 'no preview'}: {steady(preview['why'])}")
    if preview["lines"]:
        yield from (Text(f"  {steady(line)}", _STYLES["given"]) for line in preview["lines"])
        labels = f", with {', '.join(map(steady, preview['labels']))} in it" if preview["labels"] else ""
        by = steady(preview["by"])
        yield Text(f"by a dry run of {by}{labels}; nobody checked it, and it may not be what happens", "dim")


def _stop(stop: Mapping[str, Any]) -> Text:
    place = f" ({steady(stop['where'])})" if stop["where"] else ""
    return Text(
        f"{steady(stop['text'])}: policy {steady(stop['policy'])}{place}, route {steady(stop['route'])}", "bold"
    )


def _policies(stops: Sequence[Mapping[str, Any]]) -> Iterable[RenderableType]:
    """Their own text, beneath the facts: it is long, and what is decided are the values."""
    for stop in stops:
        if stop["lines"]:
            yield Rule(Text(f"policy {steady(stop['policy'])}"), align="left")
            yield from (Text(f"  {steady(line)}", "dim") for line in stop["lines"])


def _table(lines: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=3)
    table.add_column(overflow="fold", ratio=2)
    for line in lines:
        label = Text(f"> {steady(line['label'])}" if line["gate"] else f"  {steady(line['label'])}", "bold")
        note = steady(line["note"]) + (" (the gate is about this)" if line["gate"] else "")
        table.add_row(label, _spans(line["text"]), Text(note, "dim"))
    return table


def _spans(spans: Sequence[Mapping[str, Any]]) -> Text:
    text = Text(overflow="fold")
    for span in spans:
        mark = span["mark"]
        bar = _BARS.get(mark, "")
        text.append(f"{bar}{steady(span['text'])}{'»' if bar else ''}", _STYLES.get(mark, "bold"))
    return text


def left(expires: str, now: datetime) -> str:
    """How much time is left of an approval."""
    seconds = int((datetime.fromisoformat(expires).astimezone(UTC) - now).total_seconds())
    return "its time is over" if seconds <= 0 else f"{spelled(seconds)} left"


def standing(approval: Mapping[str, Any]) -> Iterable[str]:
    """How each route of `approval` stands."""
    for seat in approval["seats"]:
        yield steady(route_standing(seat["route"], seat["count"], seat["by"], seat["eligible"], seat["short"]))
