"""One attack on one workspace: laid out, served, gone through, and what came of it all, with intervals."""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.app.attacking.dry_run import DryRun, serving
from remit.app.attacking.ground import lay_out
from remit.app.attacking.play import NOTICED_S_MAX, Came, Player
from remit.app.beside import REMIT, running
from remit.app.failure import Exit, Failure
from remit.app.replaying import bundle_of
from remit.assure.attack.attempts import attempts, sampled
from remit.assure.attack.plan import Attempt
from remit.policy.bundle import Bundle

Z: Final = 1.96
"""Of intervals that hold the true share 95 times of 100."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is tried: at most `each` of every kind, within `seconds`; `patience_s` to wait for an incident.

    `together`: by one service, where else there is one for each risk, so that what one kind of attack used up of
    people's patience hides no other.
    """

    each: int | None = None
    seconds: float = math.inf
    patience_s: float = NOTICED_S_MAX
    together: bool = False


FULL: Final = Profile()
QUICK: Final = Profile(each=2, seconds=60.0, patience_s=0.2, together=True)
"""Two of every kind within a minute: for whoever waits for the answer, as a release does."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """What came of attempts on the bundle `digest`; `left` were not reached before the time or somebody ended it."""

    digest: str
    came: tuple[Came, ...]
    left: int

    @property
    def open(self) -> tuple[Came, ...]:
        """The attempts that succeeded."""
        return tuple(one for one in self.came if not one.stopped)


def attack(
    workspace: Path,
    only: str = "",
    told: Callable[[int, int], None] | None = None,
    user: str | None = None,
    program: Sequence[str] = REMIT,
    profile: Profile = FULL,
) -> Attacked:
    """Attack `workspace`, with the attempts whose id, risk or title holds `only`; `told` hears how far it is.

    `program` is what is started in place of `remit`, `profile` how much is tried. Raises `Failure`.

    The workspace is copied, and nothing of it is changed; nothing outside this machine is reached. An interrupt, or the
    end of the profile's time, ends it early, with what was seen until then.
    """
    until_s = time.monotonic() + profile.seconds
    bundle = bundle_of(workspace)
    chosen = [one for one in attempts(bundle) if _fits(one, only)]
    if profile.each is not None:
        chosen = sampled(chosen, profile.each)
    if not chosen:
        why = f"no attempt holds {only!r}" if only else "no agent of it is shown a tool"
        raise Failure("there is nothing to attack with", why=why, next="remit tools accept SERVER", exit=Exit.NOT_FOUND)
    acts_for = _user(bundle, user)
    root = Path(tempfile.mkdtemp(prefix="remit-attack-"))
    came: list[Came] = []
    try:
        dry, port = DryRun(bundle), _free_port()
        with serving(dry, port):
            for number, mine in enumerate(_by_service(chosen, profile)):
                (root / str(number)).mkdir()
                ground = lay_out(workspace, root / str(number), f"http://127.0.0.1:{port}")
                with running(ground, 0, program) as service:
                    player = Player(service, ground, dry, acts_for, profile.patience_s)
                    for one in mine:
                        if time.monotonic() > until_s:
                            break
                        came.append(player.play(one))
                        if told is not None:
                            told(len(came), len(chosen))
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return Attacked(bundle.digest, tuple(came), len(chosen) - len(came))


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's score interval of a share, at 95 % (Wilson 1927); (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def by_risk(came: Sequence[Came]) -> list[tuple[str, int, int, int]]:
    """For each risk: how many attempts, how many of them stopped, how many noticed."""
    risks = sorted({one.attempt.risk for one in came})
    rows: list[tuple[str, int, int, int]] = []
    for risk in risks:
        mine = [one for one in came if one.attempt.risk is risk]
        noticed = sum(one.noticed_s is not None for one in mine)
        rows.append((risk.value, len(mine), sum(one.stopped for one in mine), noticed))
    return rows


def _by_service(chosen: Sequence[Attempt], profile: Profile) -> list[list[Attempt]]:
    """The attempts that one service is to bear, for each service."""
    if profile.together:
        return [list(chosen)]
    return [[one for one in chosen if one.risk is risk] for risk in sorted({one.risk for one in chosen})]


def _fits(attempt: Attempt, only: str) -> bool:
    return only.lower() in f"{attempt.ident} {attempt.risk.value} {attempt.actor.value} {attempt.title}".lower()


def _user(bundle: Bundle, user: str | None) -> str | None:
    users = bundle.catalog.users
    if user is not None and user not in users:
        raise Failure(f"the workspace has no user named {user}", next="remit attack --user NAME", exit=Exit.NOT_FOUND)
    return user or next(iter(sorted(users)), None)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
