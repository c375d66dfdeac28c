"""One attack as one HTML file: it names nothing outside itself, runs no script, and prints.

Every text goes in by `api.page.html`, so that nothing that an agent, a tool or a resource is called is ever markup.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from remit import __version__
from remit.api.page.html import Html, joined, tag
from remit.app.assurance.chains import ChainFindings
from remit.app.attack import forms, matrix
from remit.app.attack.run import AttackResult
from remit.app.attack.trend import Point
from remit.app.terminal.output import counted
from remit.assure.attack.plan import Bearer, Calls, Step
from remit.assure.attack.remedy import Fix, MendResult
from remit.assure.attack.results import AttemptResult, ChoreResult, RecordedDecision
from remit.assure.attack.risks import EDITIONS, TECHNIQUES, TITLES
from remit.assure.attack.untried_tools import untried
from remit.assure.chains.drawing import drawing
from remit.assure.chains.results import FoundChain
from remit.assure.chains.written import story, title
from remit.facts.canonical import canonical
from remit.policy.bundle import Bundle

STYLE: Final = Path(__file__).with_name("report.css").read_text("utf-8")
EVIDENCE_MAX: Final = 6
ARGUMENTS_CHARS_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class AttackReport:
    """What goes into it: `workspace` by name, `at` an instant, and what replaying history says of the fixes' cost."""

    workspace: str
    at: str
    attacked: AttackResult
    mended: MendResult
    chains: ChainFindings
    replayed: Sequence[str] = ()
    points: Sequence[Point] = ()


def page(report: AttackReport) -> str:
    """The whole file."""
    attacked = report.attacked
    name = f"Attack on {report.workspace}"
    meta = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
    ]
    head = tag("head", *meta, tag("title", name), Html(f"<style>{STYLE}</style>"))
    main = tag(
        "main",
        tag("h1", name),
        _about(report),
        _verdict(report),
        matrix.score_list(attacked.scores),
        tag("p", "Read the four together: each is had easily at the cost of the others.", class_="key"),
        tag("h2", "Attacks and what stopped them"),
        matrix.matrix(attacked.results),
        *(tag("p", f"{line}.", class_="key") for line in forms.carried(attacked)),
        *_findings(report),
        *_chains(report.chains),
        *_work(attacked.chores),
        *_untried(attacked.bundle),
        *_trend(report.points),
        _foot(report),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', main), lang='en')}\n"


def _about(report: AttackReport) -> Html:
    attacked = report.attacked
    facts = (
        ("Bundle", attacked.digest.removeprefix("sha256:")[:16]),
        ("When", report.at),
        ("Attempts", str(len(attacked.results))),
        ("Took", f"{attacked.seconds:.0f} s"),
        ("Remit", __version__),
    )
    return tag("p", *(tag("span", tag("b", name), f" {text}") for name, text in facts), class_="head")


def _verdict(report: AttackReport) -> Html:
    attacked = report.attacked
    chains = len(report.chains.result.unattended)
    problems: list[str] = []
    if attacked.open:
        count = len(attacked.open)
        problems.append(
            f"{count} of {counted(len(attacked.results), 'attempt')} {'was' if count == 1 else 'were'} not stopped"
        )
    if chains:
        ends = "ends where it must not" if chains == 1 else "end where they must not"
        problems.append(f"{counted(chains, 'chain')} of permitted calls {ends}")
    if attacked.unreached:
        problems.append(f"{counted(attacked.unreached, 'attempt')} not made before it was ended")
    if not attacked.results:
        problems.append("nothing was tried")
    problems += report.chains.result.account.unseen
    if problems:
        return tag("p", f"✗ {'; '.join(problems)}.", class_="verdict bad")
    text = "✓ Every attempt was stopped, and no chain of permitted calls ends where it must not."
    return tag("p", text, class_="verdict ok")


def _findings(report: AttackReport) -> Iterator[Html]:
    open_results = report.attacked.open
    yield tag("h2", f"Findings ({len(open_results)})")
    if not open_results:
        yield tag("p", "None: no attempt got through.")
    for result in open_results:
        yield _finding(result, report.mended.of(result.attempt.ident))
    if report.mended.fixes:
        yield tag("h2", "What the proposed policies cost by replay")
        lines = report.replayed or ("Nothing recorded was given to replay: --sessions FILE or --data DIR.",)
        yield tag("pre", *(f"{line}\n" for line in lines))


def _finding(result: AttemptResult, fix: Fix | None) -> Html:
    attempt = result.attempt
    tags = [
        tag("li", "✗ not stopped", class_="bad"),
        tag("li", f"{'○' if result.noticed_s is None else '◉'} {forms.notice_text(result)}"),
    ]
    tags += [tag("li", f"{attempt.risk} {TITLES[attempt.risk]}")]
    tags += [tag("li", f"{code} {TECHNIQUES[code]}") for code in attempt.techniques]
    parts = [
        ("Who", attempt.actor.value),
        ("Path", tag("ol", *(tag("li", _step(step)) for step in attempt.steps))),
        ("Answered", result.last_answer),
        ("On the ledger", _evidence(result.evidence)),
        ("Do it again", tag("code", forms.again(result))),
        ("Proposed", _fix(fix)),
    ]
    details = tag("dl", *(joined([tag("dt", name), tag("dd", value)]) for name, value in parts))
    head = [tag("h3", attempt.title), tag("ul", *tags, class_="tags")]
    return tag("section", *head, details, class_="finding", id=attempt.ident)


def _step(step: Step) -> Html:
    if not isinstance(step, Calls):
        members = [f"{member.name} {getattr(step, member.name)}" for member in fields(step)]
        return joined([type(step).__name__.lower(), " ", ", ".join(members)])
    who = step.agent if step.via is None else f"{step.agent}, sent by {step.via},"
    times = "" if step.times == 1 else f" {step.times} times"
    bearer = "" if step.bearer is Bearer.OWN else f" with {step.bearer.value}"
    arguments = canonical(step.arguments).decode()
    shown = arguments if len(arguments) <= ARGUMENTS_CHARS_MAX else f"{arguments[:ARGUMENTS_CHARS_MAX]}…"
    return joined([f"{who} calls {step.server}/{step.tool}{times}{bearer} ", tag("code", shown)])


def _evidence(evidence: Sequence[RecordedDecision]) -> Html:
    if not evidence:
        return tag("span", "nothing: it was refused before anything was decided", class_="soft")
    rows: list[Html] = []
    for decision in evidence[-EVIDENCE_MAX:]:
        why = "; ".join(f"{because.policy or because.code}: {because.text}" for because in decision.because)
        cells = (tag("td", text) for text in (decision.verdict, decision.tool, why))
        rows.append(tag("tr", tag("td", tag("code", decision.ref)), *cells))
    return tag("table", tag("tbody", *rows))


def _fix(fix: Fix | None) -> Html:
    if fix is None:
        return tag("span", "No policy mends this; see what is said of the risk in the how-to.", class_="soft")
    cost = fix.cost
    ends = f"Ends {counted(len(fix.ends), 'finding')}; of {counted(cost.of, 'harmless piece')} of work it newly denies "
    cost_text = f"{ends}{cost.denied} and newly asks about {cost.escalated}."
    return joined([tag("pre", fix.policy.text.strip()), tag("p", cost_text)])


def _chains(chains: ChainFindings) -> Iterator[Html]:
    result = chains.result
    yield tag(
        "h2", f"Chains of permitted calls ({len(result.unattended)}, and {len(result.attended)} where people say yes)"
    )
    if not result.unattended and not result.attended:
        yield tag("p", f"None in {result.account.states} states.")
    for chain in (*result.unattended, *result.attended):
        yield _chain(chain)
    if chains.cut is not None:
        yield tag("h3", "What cuts them" if chains.cut.whole else "What cuts them, as far as it was tried")
        yield tag("pre", "\n\n".join(chain.text.strip() for chain in chains.cut.remedies))
    if result.account.stopped is not None:
        yield tag("p", f"The search stopped {result.account.stopped}.", class_="soft")


def _chain(chain: FoundChain) -> Html:
    consent = "only where people who are asked say yes" if chain.escalates else "nobody is asked"
    # The drawing escapes every text of its own.
    picture = tag("div", Html(drawing([chain])), class_="picture")
    steps = tag("ol", *(tag("li", line.partition(". ")[2]) for line in story(chain)))
    class_ = "finding asks" if chain.escalates else "finding"
    return tag("section", tag("h3", title(chain)), tag("p", consent, class_="soft"), picture, steps, class_=class_)


def _work(did: Sequence[ChoreResult]) -> Iterator[Html]:
    not_alone = [result for result in did if not result.alone]
    yield tag("h2", f"Harmless work that was not left alone ({len(not_alone)} of {len(did)})")
    if not not_alone:
        yield tag("p", "None." if did else "No harmless work was tried.")
        return
    rows: list[Html] = []
    for result in not_alone:
        last = result.evidence[-1] if result.evidence else None
        why = (
            result.last_answer
            if last is None
            else "; ".join(because.policy or because.code for because in last.because)
        )
        verdict = "asked" if result.escalated else "denied"
        rows.append(tag("tr", *(tag("td", text) for text in (result.chore.title, verdict, why))))
    heads = tag("tr", *(tag("th", text, scope="col") for text in ("work", "came out", "by")))
    yield tag("div", tag("table", tag("thead", heads), tag("tbody", *rows)), class_="scroll")


def _untried(bundle: Bundle) -> Iterator[Html]:
    untried_tools = untried(bundle)
    if untried_tools:
        yield tag("h2", f"Tools that no attempt goes through ({len(untried_tools)} of {len(bundle.tools)})")
        heads = tag("tr", *(tag("th", text, scope="col") for text in ("tool", "why")))
        rows = (tag("tr", tag("td", tool.tool), tag("td", tool.why)) for tool in untried_tools)
        yield tag("div", tag("table", tag("thead", heads), tag("tbody", *rows)), class_="scroll")


def _trend(points: Sequence[Point]) -> Iterator[Html]:
    if points:
        yield tag("h2", f"From run to run ({len(points)})")
        yield matrix.trend(points)


def _foot(report: AttackReport) -> Html:
    searched = report.chains.result.account
    text = (
        "Stopped means that no effect arrived at a tool's own server, or that verification finds what was changed; "
        "noticed, that an incident told of it. Tools were played. What the catalog leaves out is not tried. "
        f"Chains: {searched.states} states, {searched.transitions} transitions. Names: {EDITIONS}."
    )
    return tag("footer", text)
