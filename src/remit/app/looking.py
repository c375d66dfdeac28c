"""What `remit logs` looks for among records."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from remit.adapters.system import SystemClock
from remit.app.failure import Exit, Failure

VERDICTS: Final = ("permit", "deny", "escalate")
_AGO: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Looking:
    """Every one that is given must hold; `since` is an instant as records write it."""

    agent: str | None = None
    server: str | None = None
    verdict: str | None = None
    since: str | None = None

    @classmethod
    def of(cls, *, agent: str | None, server: str | None, verdict: str | None, since: str | None) -> "Looking":
        """What the options say. Raises `Failure`."""
        if verdict is not None and verdict not in VERDICTS:
            raise Failure(f"there is no verdict {verdict!r}", next=f"one of: {', '.join(VERDICTS)}", exit=Exit.USAGE)
        return cls(agent, server, verdict, None if since is None else _instant(since))

    def __bool__(self) -> bool:
        """Whether anything is looked for at all."""
        return self != Looking()

    def finds(self, item: Mapping[str, Any]) -> bool:
        """Whether `item`, an entry or an event of the control API, is looked for."""
        about: Mapping[str, Any] = item.get("body") or item
        agents = [link[0] for link in about.get("links", ())] or about.get("agents", ())
        return (
            (self.agent is None or self.agent in agents)
            and (self.server is None or self.server == about.get("server"))
            and (self.verdict is None or self.verdict == about.get("verdict"))
            and (self.since is None or item["at"] >= self.since)
        )


def _instant(given: str) -> str:
    ago = _AGO.fullmatch(given)
    try:
        if ago is not None:
            now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
            at = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            at = datetime.fromisoformat(given)
    except (ValueError, OverflowError) as error:
        following = "for example --since 15m, or --since 2026-11-22T11:05:00Z"
        raise Failure(f"{given!r} is no time", next=following, exit=Exit.USAGE) from error
    if at.tzinfo is None:
        at = at.astimezone()
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
