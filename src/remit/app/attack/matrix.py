"""The tables and small pictures of a report: scores, attacks by controls, and how the figures went from run to run."""

from collections.abc import Iterator, Sequence
from typing import Final

from remit.api.page.html import Html, joined, tag
from remit.app.attack.trend import Point
from remit.assure.attack.plan import AttackKind
from remit.assure.attack.results import AttemptResult, AttemptTally, Score, SecurityControl, row
from remit.assure.attack.risks import TITLES, UNTRIED

_SAYS: Final = {
    SecurityControl.EDGE: "the message itself is refused",
    SecurityControl.IDENTITY: "who calls is not who may",
    SecurityControl.STOPS: "a halt, an ended session or token",
    SecurityControl.PINS: "a tool is not what was accepted",
    SecurityControl.SCHEMAS: "arguments are not what the tool takes",
    SecurityControl.BREAKERS: "something fails, loops or spreads",
    SecurityControl.BUDGETS: "a budget is spent",
    SecurityControl.POLICY: "a policy forbids, or none permits",
    SecurityControl.PEOPLE: "people are asked, or have had enough of it",
    SecurityControl.GUARANTEES: "a guarantee would break",
    SecurityControl.OBLIGATIONS: "what was sent was changed or covered",
    SecurityControl.LEDGER: "what was changed of the record or of a kept bundle is found",
    SecurityControl.FAILURES: "something failed, which denies",
}
_WIDE: Final = 300


def score_list(scores: Sequence[Score]) -> Html:
    """The scores side by side, each with its interval drawn."""
    return tag("ul", *(_score(score) for score in scores), class_="scores")


def _score(score: Score) -> Html:
    if score.of == 0:
        return tag("li", score.name, tag("strong", "–"), tag("small", "none was tried"))
    low, high = score.interval
    share = score.count / score.of
    return tag(
        "li",
        score.name,
        tag("strong", f"{score.count} of {score.of}"),
        _bar(share, low, high),
        tag("small", f"{share:.0%}; 95 % interval {low:.0%} to {high:.0%}"),
    )


def _bar(share: float, low: float, high: float) -> Html:
    """The interval as a bar on a line from 0 to 1, the share as a mark on it."""
    return tag(
        "svg",
        _path(d=f"M0 7H{_WIDE}", stroke="#d8dce0", stroke_width="2"),
        _path(d=f"M{low * _WIDE:.1f} 7H{high * _WIDE:.1f}", stroke="#7f8a96", stroke_width="8"),
        _path(d=f"M{share * _WIDE:.1f} 0V14", stroke="#1c2024", stroke_width="3"),
        viewBox=f"0 0 {_WIDE} 14",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _path(**attributes: str) -> Html:
    return tag("path", **attributes)


def matrix(results: Sequence[AttemptResult]) -> Html:
    """Attacks, by risk and kind, against what stopped and noticed them."""
    whole = row("all", results)
    controls = [control for control in SecurityControl if whole.by.get(control)]
    heads = ["attack", "attempts", *controls, "not stopped", "noticed"]
    head = tag("tr", *(tag("th", name, scope="col", class_="n" if at else None) for at, name in enumerate(heads)))
    body = [line for risk in TITLES for line in _risk(risk, results, controls)]
    table = tag("table", tag("thead", head), tag("tbody", *body, _line(whole, controls, "risk")))
    legend = "; ".join(f"{control.value}: {_SAYS[control]}" for control in controls)
    silent = ", ".join(control.value for control in SecurityControl if control not in controls)
    key = [tag("p", f"Columns say what stopped an attempt. {legend}.", class_="key")]
    key += [tag("p", f"Stopped none of them: {silent}.", class_="key")] if silent else []
    return joined([tag("div", table, class_="scroll"), *key])


def _risk(risk: str, results: Sequence[AttemptResult], controls: Sequence[SecurityControl]) -> Iterator[Html]:
    of_risk = [result for result in results if result.attempt.risk == risk]
    title = f"{risk} {next(text for code, text in TITLES.items() if code == risk)}"
    if not of_risk:
        why = next((text for code, text in UNTRIED.items() if code == risk), "nothing here to try it with")
        yield tag(
            "tr", tag("th", title, scope="row"), tag("td", f"not tried: {why}", colspan=str(len(controls) + 3)),
            class_="risk",
        )  # fmt: skip
        return
    yield _line(row(title, of_risk), controls, "risk")
    for kind in AttackKind:
        if of_kind := [result for result in of_risk if result.attempt.kind is kind]:
            yield _line(row(kind.value, of_kind), controls, "kind")


def _line(tally: AttemptTally, controls: Sequence[SecurityControl], class_: str) -> Html:
    cells = [tag("th", tally.name, scope="row"), tag("td", str(tally.attempts), class_="n")]
    cells += [_count(tally.by.get(control, 0), "ok", "✓") for control in controls]
    cells += [_count(tally.attempts - tally.stopped, "bad", "✗"), _count(tally.noticed, "", "◉")]
    return tag("tr", *cells, class_=class_)


def _count(count: int, class_: str, sign: str) -> Html:
    return tag("td", f"{sign} {count}" if count else "·", class_=f"n {class_ if count else 'none'}".strip())


def trend(points: Sequence[Point]) -> Html:
    """The runs one after the other: stopped and left alone as lines, the rest as a table."""
    heads = ("when", "bundle", "attempts", "stopped", "noticed", "harmless work", "left alone", "asked")
    rows = [tag("tr", *(tag("td", text) for text in point.cells())) for point in reversed(points)]
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    lines = tag("figure", _lines(points), class_="trend") if len(points) > 1 else Html("")
    return joined([lines, tag("div", table, class_="scroll")])


def _lines(points: Sequence[Point]) -> Html:
    shapes: list[Html] = [_path(d="M40 10H520M40 90H520", stroke="#d8dce0")]
    for at, text in ((10, "100 %"), (90, "0 %")):
        shapes.append(tag("text", text, x="0", y=str(at + 4), font_size="11", fill="#5a626b"))
    for name, colour, dash, shares in (
        ("stopped", "#a40e26", None, [point.stopped / max(1, point.attempts) for point in points]),
        ("left alone", "#13653a", "6 3", [point.alone / max(1, point.work) for point in points]),
    ):
        step = 480 / (len(points) - 1)
        coordinates = " ".join(f"{40 + at * step:.1f},{90 - share * 80:.1f}" for at, share in enumerate(shares))
        line = tag("polyline", points=coordinates, fill="none", stroke=colour, stroke_width="2", stroke_dasharray=dash)
        last = f"{90 - shares[-1] * 80 + (0 if dash is None else 12):.1f}"
        shapes += [line, tag("text", name, x="528", y=last, font_size="11", fill=colour)]
    label = "stopped (solid) and harmless work left alone (dashed), from run to run"
    return tag("svg", *shapes, viewBox="0 0 620 110", role="img", aria_label=label)
