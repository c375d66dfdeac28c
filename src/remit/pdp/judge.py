"""What may leave through `release`, and which labels go with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.label import Labels
from remit.facts.session import Session
from remit.policy.bundle import Bundle
from remit.protect.labels import brought_by
from remit.trace.bodies import Status


@dataclass(frozen=True, slots=True)
class Judgement:
    """`labels` join every session in `sids` durably before a byte of `release` goes out.

    INVARIANT(label-before-data)
    """

    labels: Labels
    sids: tuple[str, ...]
    release: Json


def judge_result(bundle: Bundle, tool: Tool, sessions: Iterable[Session], status: Status, result: Json) -> Judgement:
    """Judge what `tool` answered to a call in `sessions`.

    The labels are those the running bundle gives the tool, united with those it had when the
    call was decided: a bundle applied in between takes none away.
    """
    reached = status is not Status.NOT_SENT
    now = bundle.tools.get((tool.server, tool.name))
    labels = brought_by(tool, reached=reached)
    if now is not None:
        labels |= brought_by(now.tool, reached=reached)
    return Judgement(labels, tuple(session.sid for session in sessions), result)
