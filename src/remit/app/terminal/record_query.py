"""What `remit logs` looks for among records, and how far back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from remit.adapters.system import SystemClock
from remit.api.moments import moment_of
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit

VERDICTS: Final = ("permit", "deny", "escalate")
_AGO: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Every one that is given must hold: from `since` on, and before `until`, instants as records write them."""

    agent: str | None = None
    server: str | None = None
    verdict: str | None = None
    since: str | None = None
    until: str | None = None

    @classmethod
    def of(
        cls,
        *,
        agent: str | None = None,
        server: str | None = None,
        verdict: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> "RecordQuery":
        """What the options say. Raises `CommandFailure`."""
        if verdict is not None and verdict not in VERDICTS:
            raise CommandFailure(
                f"there is no verdict {verdict!r}", next=f"one of: {', '.join(VERDICTS)}", exit=Exit.USAGE
            )
        now_ms = SystemClock().now_ms()
        start, end = _instant("--since", since, now_ms), _instant("--until", until, now_ms)
        if start is not None and end is not None and start >= end:
            what = f"there is nothing from {start} until {end}"
            raise CommandFailure(what, next="--since is the earlier one: --since 3h --until 2h", exit=Exit.USAGE)
        return cls(agent, server, verdict, start, end)

    def __bool__(self) -> bool:
        """Whether anything is looked for at all."""
        return self != RecordQuery()

    def latest(self, service: ServiceClient, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """The last `limit` records that are looked for, oldest first.

        Then the instant before which nothing was searched, where there were too many to look through.
        """
        if not self:
            return service.get("/ledger/entries", latest=limit)["items"], None
        words = {"agent": self.agent, "server": self.server, "verdict": self.verdict}
        times = {"since_ms": _ms(self.since), "until_ms": _ms(self.until)}
        answer = service.get("/ledger/search", limit=limit, **words, **times)
        return answer["items"], answer["unsearched"]

    def finds(self, item: Mapping[str, Any]) -> bool:
        """Whether `item`, an entry or an event of the control API, is looked for."""
        about: Mapping[str, Any] = item.get("body") or item
        agents = [link[0] for link in about.get("links", ())] or about.get("agents", ())
        return (
            (self.agent is None or self.agent in agents)
            and (self.server is None or self.server == about.get("server"))
            and (self.verdict is None or self.verdict == about.get("verdict"))
            and (self.since is None or item["at"] >= self.since)
            and (self.until is None or item["at"] < self.until)
        )


def _ms(at: str | None) -> int | None:
    return None if at is None else max(0, moment_of(at))


def _instant(option: str, option_text: str | None, now_ms: int) -> str | None:
    if option_text is None:
        return None
    ago = _AGO.fullmatch(option_text)
    try:
        if ago is not None:
            at = datetime.fromtimestamp(now_ms / 1000, UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            at = datetime.fromisoformat(option_text)
    except (ValueError, OverflowError) as error:
        following = f"for example {option} 15m, or {option} 2026-11-22T11:05:00Z"
        raise CommandFailure(f"{option_text!r} is no time", next=following, exit=Exit.USAGE) from error
    if at.tzinfo is None:
        at = at.astimezone()
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
