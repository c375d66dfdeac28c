"""What happened before, told by somebody who keeps every event and counts anew each time.

Laws
* Nothing is done that a monitor or a guarantee of the office forbids: as much as happened within the window counts.
* Nothing is denied for what did not happen: but for one step of the window, and for what was under way.
INVARIANT(past-is-what-happened), INVARIANT(guarantee-holds)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from remit.facts.action import ActionKind
from remit.policy.verdict import Code
from remit.trace.bodies import Status
from tests.sim.laws import Law
from tests.sim.office import DRAFTS_MAX, EXPORTS_MAX, LATELY, OFFICE, WHILE, WIRED_MAX
from tests.sim.realm import OBSERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from remit.facts.monitor import Window
    from tests.sim.laws import Laws
    from tests.sim.witness import Denial, Intent, Key

POWERS: Final = frozenset({"wire", "release", "export"})
DUTIES: Final = {"check": "export", "export": "check"}
_FAILED: Final = frozenset({Status.TOOL_ERROR, Status.UPSTREAM_ERROR, Status.TIMEOUT, Status.LOST})


@dataclass(frozen=True, slots=True)
class Deed:
    """A call of the office: what, by whom, when; and of one that was let through, how and when it ended."""

    tool: str
    agents: tuple[str, ...]
    root: str
    to: str
    amount: int
    place: int
    at: int
    status: Status | None = None
    over: tuple[int, int] | None = None

    def went_well(self, before: Deed) -> bool:
        """Whether it had ended, and well, when `before` was judged."""
        return self._over(before) and self.status is Status.OK

    def came_to_nothing(self, before: Deed) -> bool:
        """Whether it was known when `before` was judged that its effect had not been."""
        return self._over(before) and self.status in {Status.TOOL_ERROR, Status.NOT_SENT}

    def _over(self, before: Deed) -> bool:
        return self.over is not None and self.over[0] < before.place


@dataclass(frozen=True, slots=True)
class History:
    """All that was let through before `now` was judged; `slack` is how many steps more a window may take in."""

    deeds: tuple[Deed, ...]
    now: Deed
    slack: int = 0

    def within(self, window: Window, times: Iterable[int]) -> int:
        """How many of `times` are in the window. A clock that went on ended it for good, also where it was set back."""
        latest = max([self.now.at, *(one.at for one in self.deeds)])
        edge = latest - window.ms - self.slack * window.step_ms
        return sum(at > edge for at in times)

    # --- what the policies ask

    def unchecked(self) -> bool:
        """Nobody of this run has had a check of the very same payee end well."""
        return not any(one.tool == "check" and one.went_well(self.now) for one in self._ours(same=True))

    def doubted(self) -> bool:
        """A check of this run failed, or may yet, that began since one ended well."""
        checks = [one for one in self._ours() if one.tool == "check"]
        well = max((one.over[0] for one in checks if one.over and one.went_well(self.now)), default=-1)
        bad = (one for one in checks if one.place > well)
        return any(one.over is None or one.over[0] > self.now.place or one.status in _FAILED for one in bad)

    def wired_enough(self) -> bool:
        """This run has wired more than it may, or may have: all but what is known to have come to nothing."""
        wired = (one for one in self._ours() if one.tool == "wire" and not one.came_to_nothing(self.now))
        return sum(one.amount for one in wired) > WIRED_MAX

    def own_draft(self) -> bool:
        """The last draft for the payee that ended well was by one who would release it."""
        drafts = [one for one in self.deeds if one.tool == "draft" and one.to == self.now.to]
        over = [(*one.over, one) for one in drafts if one.over and one.went_well(self.now)]
        if not over:
            return False
        *_, last = max(over, key=lambda one: one[0])
        edge = self.now.at - WHILE.ms - self.slack * WHILE.step_ms
        enforced = frozenset(self.now.agents) - OBSERVED
        return max(at for _, at, _ in over) > edge and last.agents[-1] in enforced

    def exports(self) -> bool:
        """There were as many exports of late, anywhere, as there may be."""
        return self.within(LATELY, (one.at for one in self.deeds if one.tool == "export")) >= EXPORTS_MAX

    # --- what is guaranteed

    def drafts(self) -> bool:
        """There were as many drafts of late, anywhere, as there may be."""
        return self.within(LATELY, (one.at for one in self.deeds if one.tool == "draft")) >= DRAFTS_MAX

    def apart(self) -> bool:
        """Whoever acts did the other duty towards the same payee."""
        other, me = DUTIES[self.now.tool], self.now.agents[-1]
        mine = (one for one in self.deeds if one.tool == other and one.to == self.now.to and one.agents[-1] == me)
        return self.within(WHILE, (one.at for one in mine)) > 0

    def three(self) -> bool:
        """An agent of the chain used the other two powers, or had them used."""
        rest = POWERS - {self.now.tool}
        return any(
            all(
                self.within(WHILE, (d.at for d in self.deeds if d.tool == power and agent in d.agents))
                for power in rest
            )
            for agent in self.now.agents
        )

    def _ours(self, *, same: bool = False) -> Iterable[Deed]:
        ours = (one for one in self.deeds if one.root == self.now.root)
        return (one for one in ours if one.to == self.now.to) if same else ours


Rule = tuple[str, "Callable[[History], bool]"]
MONITORED: Final[Mapping[str, tuple[Rule, ...]]] = {
    "wire": (
        ("unchecked", History.unchecked),
        ("doubted", History.doubted),
        ("wired-enough", History.wired_enough),
    ),
    "release": (("own-draft", History.own_draft),),
    "export": (("exports", History.exports),),
}
GUARANTEED: Final[Mapping[str, tuple[Rule, ...]]] = {
    "check": (("apart", History.apart),),
    "draft": (("drafts", History.drafts),),
    "wire": (("three", History.three),),
    "release": (("three", History.three),),
    "export": (("apart", History.apart), ("three", History.three)),
}


@dataclass(slots=True)
class Past(Law):
    """The laws of what happened before, over what lies on disk. A clock that jumps may end windows early: `jumps`."""

    laws: Laws
    jumps: bool

    def effect(self, key: Key) -> None:
        """The office does something."""
        if not _is_deed(key) or key[2] not in GUARANTEED:
            return
        for intent in self.laws.witness.intents[key]:
            self._done(_deed(intent))

    def _done(self, now: Deed) -> None:
        history = History(self._before(now), now)
        if not OBSERVED.issuperset(now.agents):
            for name, forbids in MONITORED.get(now.tool, ()):
                if forbids(history):
                    self.laws.break_("past-is-what-happened", f"{_said(now)} was sent, which {name} forbids")
        for name, forbids in GUARANTEED[now.tool]:
            if forbids(history):
                self.laws.break_("guarantee-holds", f"{_said(now)} was sent, which {name} rules out")

    def over(self) -> None:
        """When all is over: what was denied for what happened before, had happened."""
        if self.jumps:
            return
        for denial in self.laws.witness.denials:
            if _is_deed(denial.key) and b'"round":' not in denial.key[3]:
                self._denied(denial)

    def _denied(self, denial: Denial) -> None:
        now = _of(denial.key, denial.place, denial.at)
        history = History(self._before(now), now, slack=1)
        rules = dict((*MONITORED.get(now.tool, ()), *GUARANTEED.get(now.tool, ())))
        # What a guarantee denied policy had permitted: what else it said is of those who only observe.
        held = [reason for reason in denial.reasons if reason.code is Code.GUARANTEE]
        for reason in held or denial.reasons:
            name = reason.policy if reason.code is not Code.GUARANTEE else (reason.where or "").partition("/")[2]
            if name in rules and not rules[name](history):
                self.laws.break_("past-is-what-happened", f"{_said(now)} was denied for {name}, which did not happen")

    def _before(self, now: Deed) -> tuple[Deed, ...]:
        known = self.laws.witness.by_ref.values()
        return tuple(_deed(one) for one in known if _is_deed(one.key) and one.place < now.place)


def _is_deed(key: Key) -> bool:
    return key[:2] == (ActionKind.CALL_TOOL.value, OFFICE)


def _deed(intent: Intent) -> Deed:
    made = _of(intent.key, intent.place, intent.at)
    status = intent.ended[0].status if intent.ended else None
    return Deed(made.tool, made.agents, made.root, made.to, made.amount, made.place, made.at, status, intent.over)


def _of(key: Key, place: int, at: int) -> Deed:
    _, _, tool, arguments, links = key
    given = orjson.loads(arguments)
    agents = tuple(agent for agent, _ in links)
    return Deed(tool, agents, links[0][1], given["to"], given["amount"], place, at)


def _said(now: Deed) -> str:
    return f"{now.tool} of {now.amount} to {now.to} by {'>'.join(now.agents)}"
