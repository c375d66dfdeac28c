"""What may leave through `release`, which labels go with it, and what it adds to the origins of its sessions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.action import Action
from remit.facts.canonical import Json
from remit.facts.finding import Find, labels_of
from remit.facts.label import NONE, Labels, closed
from remit.facts.session import Session
from remit.facts.tool import Tool
from remit.pdp.flow import grounds
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.protect.detect.detectors import NOTHING, Findings, detected
from remit.protect.handover import Handover
from remit.protect.index import Delta, Index
from remit.protect.learning import LearningContext, learn, without_under_way
from remit.protect.origins import Names
from remit.protect.reading import Reading, read
from remit.trace.bodies import Status


@dataclass(frozen=True, slots=True)
class ResultJudgement:
    """`labels` join every session in `sids` durably before a byte of `release` goes out, and so do `origins`.

    `origins` is what the index of the chain's root session learns; None where no call was given. `detections` is what
    the detectors of its server found in it, and how often each thing.
    INVARIANT(label-before-data)
    """

    labels: Labels
    sids: tuple[str, ...]
    release: Json
    origins: Delta | None = None
    detections: Findings = field(default_factory=lambda: NOTHING)


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
    beside: Sequence[Handover] = ()
    server: Index | None = None


def judge_result(
    bundle: Bundle,
    destination: Destination,
    server: str,
    sessions: Iterable[Session],
    status: Status,
    result: Json,
    stored: Labels = NONE,
    *,
    call: JudgedCall | None = None,
) -> ResultJudgement:
    """Judge what came back from `destination` at `server`, in `sessions`.

    The labels are those the running bundle gives it, united with those it had when the action was
    decided: a bundle applied in between takes none away. So with `stored`, what the stores that it read hold now.
    Where the catalog labels parts of a tool's results, a result brings those of the parts that are in it; errors, and
    what was cut off, bring them all. What detectors find adds its label to all of it, as that of a store does.
    """
    sids = tuple(session.sid for session in sessions)
    tool, worst = _current(bundle, destination, server)
    if status is Status.NOT_SENT:
        # Nobody read what was asked, so nothing was answered.
        return ResultJudgement(NONE, sids, result)
    finds = finds_of(bundle, server)
    detections = detected(finds, result) if finds else NOTHING
    if detections:
        stored |= labels_of(detections)
    has_parts = status is Status.OK and tool is not None and bool(tool.results)
    if call is None and not has_parts:
        return ResultJudgement(closed(worst | stored), sids, result, detections=detections)
    reader = read if call is None else call.reader
    reading = reader(tool if has_parts else None, worst, result, stored)
    labels = (reading.labels if has_parts else worst) | stored
    if reading.capped:
        # Nobody read all of it: it may hold anything that the catalog knows of.
        labels |= bundle.labels
    origins = None if call is None else _learnt(bundle, reading, tool, destination, call)
    return ResultJudgement(closed(labels), sids, result, origins, detections)


def _learnt(bundle: Bundle, reading: Reading, tool: Tool | None, destination: Destination, call: JudgedCall) -> Delta:
    names = Names(destination.arguments, destination.members)
    known = LearningContext(grounds(bundle, call.action), call.server, call.action.authority.links[0].sid)
    arguments, index = call.action.input, call.origins
    delta = learn(reading, tool, arguments, index, call.ident, call.answers, names=names, context=known)
    return without_under_way(delta, call.beside, index) if call.beside else delta


def finds_of(bundle: Bundle, server: str) -> frozenset[Find]:
    """What is looked for in all that `server` says."""
    entry = bundle.catalog.servers.get(server)
    return frozenset() if entry is None else entry.detects


def _current(bundle: Bundle, destination: Destination, server: str) -> tuple[Tool | None, Labels]:
    """The tool whose catalog entry tells the parts of a result, and the labels of what cannot be told apart.

    Where the entry changed since the action was decided, nothing is told apart.
    """
    if destination.tool is not None:
        form = bundle.tools.get((server, destination.tool.name))
        if form is None:
            return None, destination.source
        same = form.tool.results == destination.tool.results and form.tool.format is destination.tool.format
        return (form.tool if same else None), destination.source | form.tool.worst
    entry = bundle.catalog.servers.get(server)
    return None, destination.source | (NONE if entry is None else entry.source)
