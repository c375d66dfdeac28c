"""What may leave through `release`, and which labels go with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.facts.canonical import Json
from remit.facts.label import NONE, Labels
from remit.facts.session import Session
from remit.policy.bundle import Bundle
from remit.policy.reached import Reached
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


def judge_result(
    bundle: Bundle,
    reached: Reached,
    server: str,
    sessions: Iterable[Session],
    status: Status,
    result: Json,
    stored: Labels = NONE,
) -> Judgement:
    """Judge what came back from what an action `reached` at `server`, in `sessions`.

    The labels are those the running bundle gives it, united with those it had when the action was
    decided: a bundle applied in between takes none away. So with `stored`, what the stores that it read hold now.
    """
    got_there = status is not Status.NOT_SENT
    labels = brought_by(reached.source | stored | _source_now(bundle, reached, server), reached=got_there)
    return Judgement(labels, tuple(session.sid for session in sessions), result)


def _source_now(bundle: Bundle, reached: Reached, server: str) -> Labels:
    if reached.tool is not None:
        form = bundle.tools.get((server, reached.tool.name))
        return NONE if form is None else form.tool.source
    now = bundle.catalog.servers.get(server)
    return NONE if now is None else now.source
