"""`remit replay --ledger` and `--against`: history judged again, and verdicts of two workspaces side by side."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.frames import kept_of
from remit.app.assurance.replay import replay_lines
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.changes import NEWLY, VerdictChanges
from remit.assure.history import HistoryReplay, ReplayedAction
from remit.assure.recording import RecordedCall
from remit.assure.replay import START_MS, Cast, replay
from remit.facts.record import Ref
from remit.policy.bundle import Bundle
from remit.trace.encoding import decode_record

PAGE: Final = 1_000
"""Records read in one short transaction."""
STRANGERS_MAX: Final = 3
"""Bundles that are named where none of them is the one asked for."""


@dataclass(slots=True)
class ReplayTally:
    """How a ledger came out: `same` of `judged` actions as recorded; others by why they were not judged.

    `strange` are those that other bundles decided, by their digest.
    """

    judged: int = 0
    same: int = 0
    unjudged: Counter[str] = field(default_factory=Counter[str])
    strange: Counter[str] = field(default_factory=Counter[str])

    @property
    def actions(self) -> int:
        """All of them."""
        return self.judged + self.unjudged.total() + self.strange.total()


def never() -> bool:
    """It goes on to the end."""
    return False


def replayed_actions(
    ledger: Path, bundle: Bundle, since_ms: int = 0, stop: Callable[[], bool] = never
) -> Iterator[ReplayedAction]:
    """Every action since `since_ms` of the ledger at `ledger`, in order, judged again by `bundle`.

    `stop` is asked after each page whether it has to end. Raises `CommandFailure`.
    """
    for (action,) in _replay_ledger(ledger, [HistoryReplay(bundle, since_ms)], stop):
        yield action


def replayed_by_both(
    ledger: Path, before: Bundle, after: Bundle, since_ms: int = 0, stop: Callable[[], bool] = never
) -> Iterator[tuple[ReplayedAction, ReplayedAction]]:
    """As `replayed_actions`, by two bundles: where they are one, both say the same. Raises `CommandFailure`."""
    for one, other in _replay_ledger(ledger, [HistoryReplay(before, since_ms), HistoryReplay(after, since_ms)], stop):  # noqa: UP028
        yield one, other


def _replay_ledger(
    ledger: Path, histories: Sequence[HistoryReplay], stop: Callable[[], bool]
) -> Iterator[Sequence[ReplayedAction]]:
    """What each of `histories` makes of every action."""
    try:
        if not ledger.is_file():
            raise CommandFailure(
                f"there is no ledger at {ledger}", next="remit replay --ledger --data DIR", exit=Exit.NOT_FOUND
            )
        with closing(reads.open_readonly(ledger)) as conn:
            after = 0
            # A page a transaction: an open read would keep the service's log from being reset.
            while not stop() and (page := reads.stored_after(conn, after, PAGE)):
                after = page[-1].id
                for stored in page:
                    record, erased = decode_record(stored.record), stored.body is None
                    ref, body = str(Ref(record.chain, record.seq)), kept_of(conn, stored)
                    actions = [
                        history.take(ref, record.at, record.bundle, body, erased=erased) for history in histories
                    ]
                    # Whether a record holds an action to judge, it says itself: all of them, or none.
                    if judged := [history for history in actions if history is not None]:
                        yield judged
    except sqlite3.Error as error:
        why = str(error)
        raise CommandFailure(
            f"{ledger} cannot be read", why=why, next=f"remit ledger verify {ledger}", exit=Exit.INVALID
        ) from error


def as_recorded(ledger: Path, bundle: Bundle, tally: ReplayTally) -> Iterator[bytes]:
    """The line of each action that `bundle` decided; `tally` is kept on the way."""
    for action in replayed_actions(ledger, bundle):
        if action.bundle != bundle.digest:
            tally.strange[action.bundle] += 1
        elif action.replayed is None:
            tally.unjudged[action.why] += 1
        else:
            tally.judged += 1
            tally.same += action.same
            yield _line(action.replayed)


def strangers(folder: Path, bundle: Bundle, account: ReplayTally) -> CommandFailure:
    """That the workspace in `folder` is none that decided anything on the ledger."""
    others = [f"{count} by {digest}" for digest, count in account.strange.most_common(STRANGERS_MAX)]
    more = len(account.strange) - len(others)
    return CommandFailure(
        f"nothing on this ledger was decided by the workspace {folder}",
        why=f"it is bundle {bundle.digest}; its actions were decided "
        + ", ".join(others)
        + (f" and {more} other bundles" if more else ""),
        next="remit replay --ledger --workspace DIR, as it was then (remit bundle ls); "
        "or what this one would change: --against DIR",
        exit=Exit.NOT_FOUND,
    )


def against_history(ledger: Path, bundle: Bundle, changes: VerdictChanges) -> Iterator[bytes]:
    """The line of each recorded action whose verdict `bundle` would change; `changes` are kept on the way."""
    for action in replayed_actions(ledger, bundle):
        if action.replayed is None:
            changes.unjudged[action.why] += 1
        elif changes.take(action.recorded, action.replayed, agent=action.agent, tool=action.tool, at_ms=action.at_ms):
            yield _line({**action.replayed, "was": action.recorded["verdict"]})


def against_sessions(
    file: Path, before: tuple[Bundle, Cast], after: tuple[Bundle, Cast], changes: VerdictChanges
) -> Iterator[bytes]:
    """The line of each call of a recording that two workspaces judge differently, as the second one does."""
    for session in replay_lines(file):
        tools = {event.call_id: event.tool for event in session.events if isinstance(event, RecordedCall)}
        pairs = zip(replay(before[0], session, before[1]), replay(after[0], session, after[1]), strict=True)
        for was, now in pairs:
            tool = f"{session.suite}/{tools[now.call_id]}"
            if changes.take(was.line(), now.line(), agent=session.agent, tool=tool, at_ms=START_MS):
                yield _line({**now.line(), "was": was.verdict})


def summary(changes: VerdictChanges) -> Iterator[str]:
    """What changes, in lines for a person."""
    for row in changes.rows():
        policies = ", ".join(row.policies) or "no policy"
        yield f"{row.count:>6}  {NEWLY[row.after]}  {row.agent}  {row.tool}  was {row.before}  {policies}"
    totals = "  ".join(f"{name} {changes.total(verdict)}" for verdict, name in NEWLY.items())
    yield f"{changes.actions} actions: {totals}"
    for why, count in sorted(changes.unjudged.items()):
        yield f"{count} actions not judged: {why}"
    was, now = (asks / changes.days for asks in (changes.asked_was, changes.asked_now))
    yield f"asks per day: {was:.1f} before, {now:.1f} after, over {changes.days:.1f} days"


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
