"""What a person who decides is told, arranged: facts first, in one order, whatever the channel.

Laws
* The words are the catalog's and Remit's own (`wording`); an agent's reason comes late, quoted, then people's notes.
* Nothing is left out silently: what is cut, or not listed, is counted.
* Every value that a gate is about is told before the others, and so is every suspect one.
* What cannot be undone, leaves the organisation, hands authority on or is not shown whole takes more than a key.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

from remit.escalate.foreseen import Foreseen
from remit.escalate.machine import Approval, ApprovalState
from remit.escalate.reach import BlastRadius, reach_of
from remit.escalate.wording import GIVEN, TextSpan, filled, is_short, listed, marked, shortened, spelled
from remit.facts.action import ActionKind
from remit.facts.catalog import Server
from remit.facts.label import Labels
from remit.facts.lineage import Lineage
from remit.facts.origin import Origin
from remit.facts.results import spelt
from remit.facts.tool import Shows, Tool

CHARS_MAX: Final = 400
LINES_MAX: Final = 24
WHAT_CHARS_MAX: Final = 120
"""Of a value in the first line, so that none pushes out of sight why it stopped; beneath it stands in full."""
_DEFAULT_NOTE: Final = "left out: what its accepted schema says that it then is"
_ORIGINS: Final[Mapping[Origin, str]] = MappingProxyType(
    {
        Origin.GROUNDED: "in the user's own words",
        Origin.DERIVED: "reached from what the user named",
        Origin.TRUSTED: "from a trusted result",
        Origin.UNTRUSTED: "from an untrusted result",
        Origin.UNSEEN: "seen nowhere before: the agent chose it",
    }
)
_DOING: Final[Mapping[ActionKind, str]] = MappingProxyType(
    {
        ActionKind.CALL_TOOL: "call the tool ",
        ActionKind.CALL_MODEL: "have the client's model asked by ",
        ActionKind.READ_RESOURCE: "read the resource ",
        ActionKind.GET_PROMPT: "get the prompt ",
        ActionKind.LIST_ROOTS: "tell the client's folders to ",
        ActionKind.DELEGATE: "hand its authority on to the agent ",
    }
)


class BriefLine(NamedTuple):
    """What is said under one label. `gate`: a gate is about it."""

    label: str
    spans: tuple[TextSpan, ...]
    note: str = ""
    gate: bool = False


class BlockingPolicy(NamedTuple):
    """Why it stopped: the policy with its lines, the first of which stands at `where`."""

    policy: str
    route: str
    text: str
    where: str | None = None
    lines: tuple[str, ...] = ()


class Precedent(NamedTuple):
    """How people decided the same agent's calls of the same tool before the same gates.

    `withdrawn` are those that ended before anybody had to, `glass` those whose glass was broken.
    """

    approved: int = 0
    denied: int = 0
    expired: int = 0
    withdrawn: int = 0
    glass: int = 0


NEVER: Final = Precedent()


class Safer(NamedTuple):
    """Another call that policy permits without asking anybody: what it changes, and the call."""

    change: str
    tool: str
    arguments: str


class Remark(NamedTuple):
    """What `by` wrote beside his `act`, for other people."""

    by: str
    act: str
    text: str


class BriefPreview(NamedTuple):
    """What the tool `by` says that would happen, which may have `labels`; or `why` it says nothing, or that it failed.

    `lines` are as it wrote them.
    """

    by: str
    lines: tuple[str, ...]
    labels: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class BriefInput:
    """What is known of an approval.

    `values` are those of the action, `about` the paths of those that some gate is about. `tool` is the catalog's
    entry, None for what is no tool or has gone, and `server` that of where it goes. `size` are the bytes of the
    arguments, `labels` what the session holds, `impact` what is known of the magnitude. `reason` is the agent's own,
    `foreseen` what a dry run told, `withdrawn` why nobody is asked any more, where that is known.
    """

    approval: Approval
    kind: ActionKind
    links: Sequence[tuple[str, str]]
    values: Sequence[Lineage]
    stops: Sequence[BlockingPolicy]
    size: int
    about: frozenset[str] = frozenset()
    labels: Labels = frozenset()
    tool: Tool | None = None
    impact: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    precedent: Precedent = NEVER
    safer: Sequence[Safer] = ()
    reason: str | None = None
    foreseen: Foreseen | None = None
    server: Server | None = None
    withdrawn: str | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """What is shown, its fields in the order in which it is.

    `what`: verb, object, magnitude. `shows`: recipients, rows, files, before and after. `preview`: what the tool says
    that it would do, in its own words, line by line. `unlisted` are values that have no line of their own. `zero` is
    what happens at `expires_ms`, or how it ended. `careful`: one key is not enough to approve it. `whole`: every value
    is shown, and shown whole. `remarks` are what those wrote who said something already.
    """

    what: tuple[TextSpan, ...]
    shows: tuple[BriefLine, ...]
    preview: BriefPreview | None
    stops: tuple[BlockingPolicy, ...]
    chain: tuple[BriefLine, ...]
    values: tuple[BriefLine, ...]
    unlisted: int
    impact: tuple[BriefLine, ...]
    precedent: str
    safer: tuple[Safer, ...]
    reason: tuple[TextSpan, ...]
    remarks: tuple[Remark, ...]
    expires_ms: int
    zero: str
    careful: bool
    whole: bool


def arrange(case: BriefInput, *, chars_max: int = CHARS_MAX, lines_max: int = LINES_MAX) -> Brief:
    """`case` as it is shown: texts cut to about `chars_max`, no list longer than `lines_max`."""
    reach, given_count = reach_of(case.kind, case.tool, case.server), len(case.values)
    defaults = defaults_of(case.tool, case.values)
    case = replace(case, values=(*case.values, *defaults))
    whole = len(case.values) <= lines_max and all(is_short(spelled(one.value), chars_max) for one in case.values)
    return Brief(
        what=_what(case, given_count, chars_max),
        shows=tuple(_shows(case, chars_max, lines_max)),
        preview=None if case.foreseen is None else _preview(case.foreseen, chars_max, lines_max),
        stops=tuple(_stop(stop, chars_max, lines_max) for stop in case.stops[:lines_max]),
        chain=_chain(case, lines_max),
        values=tuple(
            _line(one, case.about, chars_max, is_default=one in defaults) for one in _ordered(case)[:lines_max]
        ),
        unlisted=max(0, len(case.values) - lines_max),
        impact=tuple(_impact(case, reach, lines_max)),
        precedent=_precedent(case.precedent),
        safer=tuple(Safer(*(shortened(text, chars_max) for text in one)) for one in case.safer[:lines_max]),
        reason=() if case.reason is None else (TextSpan(shortened(case.reason, chars_max), GIVEN),),
        remarks=tuple(_remarks(case.approval, chars_max))[:lines_max],
        expires_ms=case.approval.expires_ms,
        zero=_zero(case.approval, case.withdrawn),
        careful=reach.careful or not whole,
        whole=whole,
    )


def defaults_of(tool: Tool | None, values: Sequence[Lineage]) -> tuple[Lineage, ...]:
    """What a call of `tool` with these `values` has besides, by the word of its schema: it is judged by that, too."""
    if tool is None:
        return ()
    names = {one.argument for one in values}
    return tuple(Lineage(spelt((name,)), value) for name, value in tool.defaults.items() if name not in names)


def _what(case: BriefInput, given_count: int, chars_max: int) -> tuple[TextSpan, ...]:
    """Verb, object, magnitude, of a call with `given_count` values."""
    approval = case.approval
    if case.tool is not None and case.tool.brief:
        return filled(case.tool.brief, case.values, min(chars_max, WHAT_CHARS_MAX))
    target = (
        approval.name
        if case.kind in {ActionKind.DELEGATE, ActionKind.CALL_TOOL}
        else f"{approval.server} {approval.name}"
    )
    if case.kind is ActionKind.CALL_TOOL:
        # Its name is its server's, which people accepted.
        ours = TextSpan(f"{_DOING[case.kind]}{approval.server}/{approval.name}")
        number = "no values" if not given_count else _plural(given_count, "value")
        return ours, TextSpan(f" with {number}, {_plural(case.size, 'byte')}")
    return TextSpan(_DOING[case.kind]), TextSpan(shortened(target, chars_max), GIVEN)


def _shows(case: BriefInput, chars_max: int, lines_max: int) -> list[BriefLine]:
    """Recipients, rows, files, before and after, as the catalog says which arguments they are."""
    if case.tool is None:
        return []
    lines: list[BriefLine] = []
    for show in Shows:
        names = {name for name, said in case.tool.arguments.items() if said.shows is show}
        values = [one for one in case.values if one.argument in names]
        if names:
            number = f" ({len(values)})" if len(values) > 1 else ""
            spans = tuple(listed(values, chars_max, lines_max)) or (TextSpan("(nothing)"),)
            lines.append(BriefLine(f"{show.value}{number}", spans))
    return lines


def _preview(foreseen: Foreseen, chars_max: int, lines_max: int) -> BriefPreview:
    lines = _lines(foreseen.text.split("\n") if foreseen.text else (), chars_max, lines_max)
    return BriefPreview(
        shortened(foreseen.by, chars_max), lines, foreseen.labels[:lines_max], shortened(foreseen.why, chars_max)
    )


def _stop(stop: BlockingPolicy, chars_max: int, lines_max: int) -> BlockingPolicy:
    return stop._replace(text=shortened(stop.text, chars_max), lines=_lines(stop.lines, chars_max, lines_max))


def _lines(texts: Sequence[str], chars_max: int, lines_max: int) -> tuple[str, ...]:
    lines = tuple(shortened(line, chars_max) for line in texts[:lines_max])
    rest = len(texts) - len(lines)
    return (*lines, *([f"… {rest} more lines"] * bool(rest)))


def _chain(case: BriefInput, lines_max: int) -> tuple[BriefLine, ...]:
    """The user, then every agent; of too many the first ones and the one that acts."""
    user = case.approval.user
    links = [BriefLine("agent", (TextSpan(name),), f"session {sid}") for name, sid in case.links]
    rest = len(links) - lines_max
    if rest > 0:
        links = [*links[: lines_max - 1], BriefLine("agent", (TextSpan(f"{rest} more agents"),)), links[-1]]
    return (BriefLine("for", (TextSpan("nobody: the agent's own token" if user is None else user),)), *links)


def _ordered(case: BriefInput) -> list[Lineage]:
    """What a gate is about first, then what is suspect, then as given."""
    return sorted(case.values, key=lambda one: (one.path not in case.about, not one.suspect))


def _line(value: Lineage, about: frozenset[str], chars_max: int, *, is_default: bool) -> BriefLine:
    note = _DEFAULT_NOTE if is_default else "" if value.origin is None else _ORIGINS[value.origin]
    if value.steps:
        step = value.steps[0]
        note = f"{note}: {'a call' if step.tool is None else step.tool} at {step.at} (decision {step.call})"
    if value.established:
        note = f"{note}; known to the organisation"
    label = value.path.removeprefix("$.")
    return BriefLine(
        shortened(label, chars_max), marked(value, chars_max), shortened(note, chars_max), value.path in about
    )


def _impact(case: BriefInput, reach: BlastRadius, lines_max: int) -> list[BriefLine]:
    lines = [BriefLine("undoing", (TextSpan(reach.undoing),)), BriefLine("reaches", (TextSpan(reach.reaches),))]
    if case.labels:
        lines.append(BriefLine("session holds", (TextSpan(", ".join(sorted(case.labels)[:lines_max])),)))
    lines += [BriefLine(name, (TextSpan(told),)) for name, told in case.impact.items()]
    return lines[:lines_max]


def _precedent(precedent: Precedent) -> str:
    total = sum(precedent)
    if not total:
        return "never asked before"
    words = ("approved", "denied", "left to expire", "withdrawn or asked anew", "by broken glass")
    parts = ", ".join(f"{number} {word}" for number, word in zip(precedent, words, strict=True) if number)
    return f"asked {_plural(total, 'time')} before: {parts}"


def _remarks(approval: Approval, chars_max: int) -> Iterator[Remark]:
    """The latest first: who said no had the last word."""
    if approval.note is not None and approval.refused_by is not None:
        yield Remark(approval.refused_by, "said no", shortened(approval.note, chars_max))
    if approval.glass is not None:
        yield Remark(approval.glass.by, "broke the glass", shortened(approval.glass.why, chars_max))
    for vote in reversed(approval.votes):
        if vote.note is not None:
            yield Remark(vote.by, "said yes", shortened(vote.note, chars_max))


def _zero(approval: Approval, withdrawn: str | None) -> str:
    match approval.state:
        case ApprovalState.PENDING:
            return "silence is a no: nothing runs, and the agent is told that nobody decided"
        case ApprovalState.APPROVED:
            return "the yes lapses unless the agent has repeated its call"
        case ApprovalState.DENIED:
            return f"it was refused by {approval.refused_by}" + (
                "" if approval.reason is None else f": {approval.reason}"
            )
        case ApprovalState.EXPIRED:
            return "it expired, and nothing ran"
        case ApprovalState.CANCELLED:
            return f"it was withdrawn{', and why is not at hand' if withdrawn is None else f': {withdrawn}'}"
        case ApprovalState.SUPERSEDED if approval.superseded_by is not None:
            return f"people are asked anew: remit approvals show {approval.superseded_by}"
        case ApprovalState.SUPERSEDED:
            return "a grant covers it by now"
        case ApprovalState.CLAIMED | ApprovalState.EXECUTING:
            return f"it is under way: remit why {approval.claimed_by}"
        case ApprovalState.SUCCEEDED | ApprovalState.FAILED:
            return f"it {approval.state.value}: remit why {approval.claimed_by}"
        case ApprovalState.UNKNOWN:
            return f"nobody knows how it ended: remit why {approval.claimed_by}"
        case _:
            assert_never(approval.state)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
