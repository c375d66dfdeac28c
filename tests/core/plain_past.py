"""What monitors say, worked out from a list of all events: no cells, no steps added up, nothing forgotten."""

from dataclasses import dataclass

from remit.facts.monitor import EventAggregate, Window


@dataclass(frozen=True, slots=True)
class Told:
    """One event, in the order of the ledger: what it does, when, with which key and by whom.

    `back` is the number of the event that it takes back.
    """

    does: str
    at_ms: int
    key: str = ""
    units: int = 1
    agent: str = ""
    back: int = -1


def counts(window: Window, event_ms: int, now_ms: int) -> bool:
    """Whether what happened then is within the window now, which is counted in steps."""
    return not window.steps or event_ms // window.step_ms >= now_ms // window.step_ms - window.steps


def said(op: EventAggregate, window: Window, events: list[Told], key: str, now_ms: int) -> int | str | None:
    """What a monitor says of `key`: a number, or who did it last."""
    gone = {event.back for event in events if event.does == "back"}
    mine = [(number, event) for number, event in enumerate(events) if event.key == key]
    if op is EventAggregate.PREVIOUS:
        last = [event for _, event in mine if event.does == "last"]
        latest = max((event.at_ms for event in last), default=0)
        return last[-1].agent if last and counts(window, latest, now_ms) else None
    cleared = max((number for number, event in mine if event.does == "reset"), default=-1)
    return sum(
        event.units
        for number, event in mine
        if event.does == "add" and number > cleared and number not in gone and counts(window, event.at_ms, now_ms)
    )
