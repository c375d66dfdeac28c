"""What may leave through `release`, which labels go with it, and what it adds to the origins of its sessions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.action import Action
from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.finding import Find, labels_of
from remit.facts.label import NONE, Labels, closed
from remit.facts.session import Session
from remit.pdp.flow import grounds
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.protect.detect.detectors import NOTHING, Found, detected
from remit.protect.handed import Handing
from remit.protect.index import Delta, Index
from remit.protect.learning import KnownBeside, beside, learn
from remit.protect.origins import Names
from remit.protect.reading import Reading, read
from remit.trace.bodies import Status


@dataclass(frozen=True, slots=True)
class ResultJudgement:
    """`labels` join every session in `sids` durably before a byte of `release` goes out, and so do `origins`.

    `origins` is what the index of the chain's root session learns; None where no call was given. `found` is what the
    detectors of its server found in it, and how often each thing.
    INVARIANT(label-before-data)
    """

    labels: Labels
    sids: tuple[str, ...]
    release: Json
    origins: Delta | None = None
    found: Found = field(default_factory=lambda: NOTHING)


Reader: TypeAlias = Callable[[Tool | None, Labels, Json, Labels], Reading]
"""What reads a result, as `protect.reading.read` does."""


NO_ANSWERS: Final[Mapping[str, Json]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """The call that a result answers: its decision id, itself, its chain's index, and what reads the result.

    `answers` is what its client answered in mid-call; `beside` are other calls of its sessions that have not ended,
    `server` is the index of what sessions handed to its server.
    """

    ident: str
    action: Action
    origins: Index
    reader: Reader = read
    answers: Mapping[str, Json] = field(default_factory=lambda: NO_ANSWERS)
    beside: Sequence[Handing] = ()
    server: Index | None = None


def judge_result(
    bundle: Bundle,
    reached: Destination,
    server: str,
    sessions: Iterable[Session],
    status: Status,
    result: Json,
    stored: Labels = NONE,
    *,
    call: JudgedCall | None = None,
) -> ResultJudgement:
    """Judge what came back from what an action `reached` at `server`, in `sessions`.

    The labels are those the running bundle gives it, united with those it had when the action was
    decided: a bundle applied in between takes none away. So with `stored`, what the stores that it read hold now.
    Where the catalog labels parts of a tool's results, a result brings those of the parts that are in it; errors, and
    what was cut off, bring them all. What detectors find adds its label to all of it, as that of a store does.
    """
    sids = tuple(session.sid for session in sessions)
    tool, worst = _now(bundle, reached, server)
    if status is Status.NOT_SENT:
        # Nobody read what was asked, so nothing was answered.
        return ResultJudgement(NONE, sids, result)
    finds = detects(bundle, server)
    found = detected(finds, result) if finds else NOTHING
    if found:
        stored |= labels_of(found)
    told_apart = status is Status.OK and tool is not None and bool(tool.results)
    if call is None and not told_apart:
        return ResultJudgement(closed(worst | stored), sids, result, found=found)
    reader = read if call is None else call.reader
    reading = reader(tool if told_apart else None, worst, result, stored)
    labels = (reading.labels if told_apart else worst) | stored
    if reading.capped:
        # Nobody read all of it: it may hold anything that the catalog knows of.
        labels |= bundle.labels
    origins = None if call is None else _learnt(bundle, reading, tool, reached, call)
    return ResultJudgement(closed(labels), sids, result, origins, found)


def _learnt(bundle: Bundle, reading: Reading, tool: Tool | None, reached: Destination, call: JudgedCall) -> Delta:
    names = Names(reached.arguments, reached.members)
    known = KnownBeside(grounds(bundle, call.action), call.server, call.action.authority.links[0].sid)
    given, index = call.action.input, call.origins
    made = learn(reading, tool, given, index, call.ident, call.answers, names=names, known=known)
    return beside(made, call.beside, index) if call.beside else made


def detects(bundle: Bundle, server: str) -> frozenset[Find]:
    """What is looked for in all that `server` says."""
    known = bundle.catalog.servers.get(server)
    return frozenset() if known is None else known.detects


def _now(bundle: Bundle, reached: Destination, server: str) -> tuple[Tool | None, Labels]:
    """The tool whose catalog entry tells the parts of a result, and the labels of what cannot be told apart.

    Where the entry changed since the action was decided, nothing is told apart.
    """
    if reached.tool is not None:
        form = bundle.tools.get((server, reached.tool.name))
        if form is None:
            return None, reached.source
        same = form.tool.results == reached.tool.results and form.tool.format is reached.tool.format
        return (form.tool if same else None), reached.source | form.tool.worst
    now = bundle.catalog.servers.get(server)
    return None, reached.source | (NONE if now is None else now.source)
