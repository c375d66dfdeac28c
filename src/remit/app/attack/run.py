"""One attack on one workspace: laid out, served, gone through, and what came of it all, with intervals."""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from remit.app.assurance.replay import bundle_of
from remit.app.attack.dry_run import DryRun, serving
from remit.app.attack.ground import lay_out, sign_off
from remit.app.attack.model import Model
from remit.app.attack.play import NOTICED_S_MAX, Player
from remit.app.data.scratch import scratch
from remit.app.service.child_process import REMIT, running
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.attack.attempts import attempts, sampled
from remit.assure.attack.carry_over import carried
from remit.assure.attack.chores import Chore, chores
from remit.assure.attack.plan import AttackAttempt
from remit.assure.attack.results import AttemptResult, AttemptTally, ChoreResult, Score, row, scores
from remit.assure.attack.search import furthest, next_attempts
from remit.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class AttackProfile:
    """How much is tried: at most `attempts_per_kind` attempts of every kind and `chores`, within `seconds`.

    In each of `rounds`, what got furthest is tried in at most `breadth` other ways for each service.
    `patience_s` is how long an incident is waited for; `together`: by one service, where else there is one for each
    risk, so that what one kind of attack used up of people's patience hides no other.
    """

    attempts_per_kind: int | None = None
    chores: int | None = None
    seconds: float = math.inf
    patience_s: float = NOTICED_S_MAX
    together: bool = False
    rounds: int = 0
    breadth: int = 12


FULL: Final = AttackProfile(rounds=2)
QUICK: Final = AttackProfile(attempts_per_kind=2, chores=10, seconds=60.0, patience_s=0.2, together=True)
"""Two of every kind within a minute: for whoever waits for the answer, as a release does."""


@dataclass(frozen=True, slots=True)
class AttackResult:
    """What came of attempts on `bundle`, and of harmless work; `unreached` were not reached before it was ended.

    `moot` were about nothing here: nobody was asked who could say yes, or what they act on was not to be read;
    `user` is for whom agents acted, `seconds` how long it took.
    """

    bundle: Bundle
    user: str | None
    results: tuple[AttemptResult, ...]
    chores: tuple[ChoreResult, ...]
    moot: int
    unreached: int
    seconds: float

    @property
    def digest(self) -> str:
        """The bundle's."""
        return self.bundle.digest

    @property
    def open(self) -> tuple[AttemptResult, ...]:
        """The attempts that succeeded."""
        return tuple(result for result in self.results if not result.stopped)

    @property
    def carried(self) -> Mapping[str, tuple[str, ...]]:
        """By the id of an attempt, what counts over all sessions, so that what others did may have decided of it."""
        return carried(self.bundle, self.results)

    @property
    def scores(self) -> tuple[Score, ...]:
        """Stopped, noticed, left alone, asked."""
        return scores(self.results, self.chores)


@dataclass(slots=True)
class _Run:
    """One attack under way."""

    workspace: Path
    root: Path
    bundle: Bundle
    user: str | None
    program: Sequence[str]
    profile: AttackProfile
    until_s: float
    told: Callable[[int], None]
    model: Model | None
    searched: int = 0
    results: list[AttemptResult] = field(default_factory=list[AttemptResult])
    did: list[ChoreResult] = field(default_factory=list[ChoreResult])
    moot: int = 0

    def go(self, chosen: Sequence[AttackAttempt], work: Sequence[Chore]) -> None:
        """Go through all of it, until the time is over."""
        dry, port = DryRun(self.bundle), _free_port()
        with serving(dry, port):
            todo = list(work)
            for number, attempts_here in enumerate(_by_service(chosen, self.profile)):
                if self._over():
                    return
                (self.root / str(number)).mkdir()
                ground = lay_out(self.workspace, self.root / str(number), f"http://127.0.0.1:{port}")
                sign_off(ground, self.bundle)
                with running(ground, 0, self.program) as service:
                    player = Player(service, ground, dry, self.user, self.program, self.profile.patience_s)
                    # The first service has all the work, before anything is attacked.
                    while todo and not self._over():
                        self.did.append(player.do(todo.pop(0)))
                    for attempt in attempts_here:
                        if self._over():
                            return
                        self._play(player, attempt)
                    self._further(player, {attempt.ident for attempt in attempts_here})

    def _play(self, player: Player, attempt: AttackAttempt) -> None:
        result = player.play(attempt)
        if result is None:
            self.moot += 1
        else:
            self.results.append(result)
        self.told(len(self.results) + self.moot)

    def _further(self, player: Player, idents: set[str]) -> None:
        """Try what got furthest of the attempts `idents` in other ways, and those again."""
        for _ in range(self.profile.rounds):
            results = [item for item in self.results if item.attempt.ident in idents]
            more = next_attempts(self.bundle, results, self.profile.breadth)
            if self.model is not None:
                more += [
                    proposed
                    for item in furthest(results)
                    if (proposed := self.model.propose(self.bundle, item)) is not None
                ]
            for item in more:
                if self._over():
                    return
                idents.add(item.ident)
                self.searched += 1
                self._play(player, item)

    def _over(self) -> bool:
        return time.monotonic() > self.until_s


def attack(
    workspace: Path,
    only: str = "",
    told: Callable[[int, int], None] | None = None,
    user: str | None = None,
    program: Sequence[str] = REMIT,
    profile: AttackProfile = FULL,
    model: Model | None = None,
) -> AttackResult:
    """Attack `workspace`, with the attempts whose id, risk or title holds `only`; `told` hears how far it is.

    `program` is what is started in place of `remit`, `profile` how much is tried; `model` is asked for more. Raises
    `CommandFailure`.

    The workspace is copied, and nothing of it is changed; nothing outside this machine is reached. An interrupt, or the
    end of the profile's time, ends it early, with what was seen until then.
    """
    began_s = time.monotonic()
    bundle = bundle_of(workspace)
    chosen = [attempt for attempt in attempts(bundle) if _fits(attempt, only)]
    if profile.attempts_per_kind is not None:
        chosen = sampled(chosen, profile.attempts_per_kind)
    if not chosen:
        why = f"no attempt holds {only!r}" if only else "no agent of it is shown a tool"
        raise CommandFailure(
            "there is nothing to attack with", why=why, next="remit tools accept SERVER", exit=Exit.NOT_FOUND
        )
    acts_for = _user(bundle, user)

    def on_count(count: int) -> None:
        if told is not None:
            told(count, len(chosen))

    with scratch("remit-attack-") as root:
        run = _Run(workspace, root, bundle, acts_for, program, profile, began_s + profile.seconds, on_count, model)
        try:
            run.go(chosen, chores(bundle, profile.chores))
        except KeyboardInterrupt:
            pass
        except CommandFailure as failure:
            # Where it was tried is gone when this is read.
            why = re.sub(rf"{re.escape(str(root))}/\d+/workspace", str(workspace), failure.why)
            next_ = (
                f"remit up --workspace {workspace} --data DIR, with a folder that is not there yet: does that start?"
            )
            raise CommandFailure(failure.what, why=why, next=next_, exit=failure.exit) from failure
    not_made = len(chosen) + run.searched - len(run.results) - run.moot
    return AttackResult(
        bundle, acts_for, tuple(run.results), tuple(run.did), run.moot, not_made, time.monotonic() - began_s
    )


def by_risk(results: Sequence[AttemptResult]) -> list[AttemptTally]:
    """The row of each risk that was tried."""
    return [
        row(risk.value, [result for result in results if result.attempt.risk is risk])
        for risk in sorted({result.attempt.risk for result in results})
    ]


def _by_service(chosen: Sequence[AttackAttempt], profile: AttackProfile) -> list[list[AttackAttempt]]:
    """The attempts that one service is to bear, for each service."""
    if profile.together:
        return [list(chosen)]
    # The first has the harmless work alone: what that did decides of no attempt either.
    return [
        [],
        *(
            [attempt for attempt in chosen if attempt.risk is risk]
            for risk in sorted({attempt.risk for attempt in chosen})
        ),
    ]


def _fits(attempt: AttackAttempt, only: str) -> bool:
    return only.lower() in f"{attempt.ident} {attempt.risk.value} {attempt.actor.value} {attempt.title}".lower()


def _user(bundle: Bundle, user: str | None) -> str | None:
    users = bundle.catalog.users
    if user is not None and user not in users:
        raise CommandFailure(
            f"the workspace has no user named {user}", next="remit attack --user NAME", exit=Exit.NOT_FOUND
        )
    return user or next(iter(sorted(users)), None)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
