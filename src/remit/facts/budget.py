"""A budget: how much of something may be spent within a window, by whom; and the accounts in which that is kept.

Laws
* Amounts are whole numbers of units; money counts in units of the fourth decimal place. Nothing is rounded in favour
  of who spends.
* A window begins at a multiple of its length since the epoch, and is over when a later one begins: an account goes on
  to a later window, never back to an earlier one, whatever the clock does.
* What a person has begin anew counts from then to the end of the window: what was taken before gives nothing back.
* Editing a budget changes what may still be spent, not what was: an account is named by budget, measure, length of the
  window, and who spends.
INVARIANT(budget-never-overspent)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from remit.facts.canonical import Json, canonical, digest
from remit.facts.impact import PLACES, shown

TOKEN_BYTES: Final = 4
"""What counts as one token: an estimate that needs no model's own tables."""
RESULT_TOKENS: Final = 25_000
"""How many tokens a result may take where a budget of tokens does not say."""


class Measure(StrEnum):
    """What is spent."""

    CALLS = "calls"
    IRREVERSIBLE = "irreversible"
    AMOUNT = "amount"
    TOKENS = "tokens"
    RECORDS = "records"


class Per(StrEnum):
    """Whose spending adds up. A group's is that of each agent and user in it, the fleet's that of everybody."""

    AGENT = "agent"
    GROUP = "group"
    USER = "user"
    TOOL = "tool"
    FLEET = "fleet"


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `hard` units of `measure` within `window_s` seconds; beyond `soft`, the people of `route` decide.

    `of` is the one whose spending counts; None: each has an account of his own. `tools` are those that count, all
    where none is named: `SERVER/TOOL`, or `SERVER` for all of its. `result_tokens_max` is how many
    tokens one result may take.
    """

    name: str
    measure: Measure
    per: Per
    of: str | None
    hard: int
    window_s: int
    soft: int | None = None
    route: str | None = None
    tools: frozenset[str] = frozenset()
    result_tokens_max: int = RESULT_TOKENS
    text_hash: str = field(init=False, repr=False, compare=False)
    """What an approval of its gate is bound to."""
    window_ms: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash it, once for all its gates."""
        object.__setattr__(self, "window_ms", self.window_s * 1000)
        object.__setattr__(self, "text_hash", digest(canonical(self.to_json())))

    @property
    def policy(self) -> str:
        """How its gate is named; no policy's `@id` has a colon followed by such a name."""
        return f"budget:{self.name}"

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it; what is left out is not there."""
        members: dict[str, Json] = {"measure": self.measure.value, "per": self.per.value}
        members |= {"hard": self.number(self.hard), "window_s": self.window_s}
        if self.of is not None:
            members["of"] = self.of
        if self.soft is not None:
            members |= {"soft": self.number(self.soft), "route": self.route}
        if self.tools:
            members["tools"] = sorted(self.tools)
        if self.measure is Measure.TOKENS:
            members["each"] = self.result_tokens_max
        return members

    def number(self, units: int) -> Json:
        """`units` as YAML spells them."""
        if self.measure is not Measure.AMOUNT:
            return units
        return units // PLACES if units % PLACES == 0 else float(shown(units))

    def text_of(self, units: int) -> str:
        """`units` as people read them."""
        if self.measure is Measure.AMOUNT:
            return shown(units)
        return f"{units:,}"

    def until_ms(self, since_ms: int) -> int:
        """When the window is over that began at `since_ms`, or in which its account began anew then."""
        return since_ms - since_ms % self.window_ms + self.window_ms

    def account(self, whose: str) -> str:
        """The name of the account of `whose` spending."""
        return f"{self.name} {self.measure.value} {self.window_s} {self.per.value}:{whose}"


class Charge(NamedTuple):
    """What an intent takes from an account: `units` of the window since `since_ms`, of which `hard` were there."""

    account: str
    since_ms: int
    units: int
    hard: int


class Refund(NamedTuple):
    """What the end of an intent gives back to an account, unless its window is over."""

    account: str
    since_ms: int
    units: int


class Balance(NamedTuple):
    """What was spent of an account in the window since `since_ms`, with what is reserved and in doubt."""

    since_ms: int
    units: int


class Draw(NamedTuple):
    """What an action would take from an account of `budget`, of which `spent` was before; None: nobody can tell."""

    budget: Budget
    account: str
    since_ms: int
    spent: int
    units: int | None

    @property
    def exceeds(self) -> bool:
        """Whether it would overspend."""
        return self.units is None or self.spent + self.units > self.budget.hard

    @property
    def escalates(self) -> bool:
        """Whether people are asked first."""
        soft = self.budget.soft
        return soft is not None and (self.units is None or self.spent + self.units > soft)

    @property
    def remaining(self) -> int:
        """What was left of it before."""
        return max(0, self.budget.hard - self.spent)

    @property
    def percent(self) -> int:
        """How much of it would be used up, rounded up; 101 for more than there is."""
        used = self.spent + (0 if self.units is None else self.units)
        return min(101, -(-used * 100 // self.budget.hard)) if self.budget.hard else 100 if not used else 101

    @property
    def whose(self) -> str:
        """Whose account it is, as people say it: `agent clerk`, `fleet`."""
        return whose(self.account)


def charged(balance: Balance | None, since_ms: int, units: int) -> Balance:
    """An account after a charge. One of a window that is over counts in the present one."""
    if balance is None or since_ms > balance.since_ms:
        return Balance(since_ms, units)
    return Balance(balance.since_ms, balance.units + units)


def refunded(balance: Balance | None, since_ms: int, units: int) -> Balance | None:
    """An account after a refund; what was spent in a window that is over stays there."""
    if balance is None or since_ms != balance.since_ms:
        return balance
    return Balance(since_ms, max(0, balance.units - units))


def reset_moment(data: Mapping[str, Json]) -> int | None:
    """The moment from which an account counts by a record that has it begin anew; None where it says none."""
    since_ms = data.get("since_ms")
    return since_ms if isinstance(since_ms, int) and not isinstance(since_ms, bool) and since_ms >= 0 else None


def spent_since(current: Balance | None, carried: Balance) -> Balance | None:
    """What to charge to an account as it is `current` so that it has spent what `carried` has; None for nothing."""
    if current is None or carried.since_ms > current.since_ms:
        return carried
    if carried.since_ms < current.since_ms or carried.units <= current.units:
        return None
    return Balance(carried.since_ms, carried.units - current.units)


def carried_balance(data: Mapping[str, Json]) -> tuple[int, int]:
    """Window and units that the record of an account carried over from another ledger says; no units where none."""
    since_ms, units = data.get("since_ms"), data.get("units")
    if isinstance(since_ms, bool) or isinstance(units, bool):
        return 0, 0
    return (since_ms, units) if isinstance(since_ms, int) and isinstance(units, int) else (0, 0)


def refunds_in(data: Mapping[str, Json]) -> tuple[Refund, ...]:
    """What a record by which a person says that an intent did not happen gives back; what is none is left out."""
    listed = data.get("refunds")
    refunds: list[Refund] = []
    for entry in listed if isinstance(listed, list) else ():
        match entry:
            case [str(account), int(since_ms), int(units)] if not isinstance(since_ms, bool) and not isinstance(
                units, bool
            ):
                refunds.append(Refund(account, since_ms, units))
            case _:
                pass
    return tuple(refunds)


def tokens(size: int) -> int:
    """How many tokens `size` bytes count as."""
    return -(-size // TOKEN_BYTES)


def measure_of(account: str) -> Measure:
    """What an account counts."""
    return Measure(account.split(" ", 2)[1])


def whose(account: str) -> str:
    """Whose an account is: `agent clerk`, `tool shop/pay`, `fleet`; `no user` of all that act for none."""
    owner = account.split(" ", 3)[3]
    return "no user" if owner == "user:" else owner.replace(":", " ", 1).strip()


def refunds_at_end(
    charges: Iterable[Charge], *, sent: bool, argument_bytes: int, result_bytes: int
) -> tuple[Refund, ...]:
    """What the end of an action gives back: all where it was not sent, of tokens what its result did not take.

    `argument_bytes` and `result_bytes` are the bytes of its arguments and of what was shown of its result.
    """
    refunds: list[Refund] = []
    for account, since_ms, units, _ in charges:
        back = units
        if sent:
            back = units - tokens(argument_bytes) - tokens(result_bytes) if measure_of(account) is Measure.TOKENS else 0
        if back > 0:
            refunds.append(Refund(account, since_ms, back))
    return tuple(refunds)


def left_of(charges: Iterable[Charge], refunds: Iterable[Refund]) -> tuple[Charge, ...]:
    """What of `charges` the `refunds` do not give back."""
    back = {(one.account, one.since_ms): one.units for one in refunds}
    remaining = (one._replace(units=one.units - back.get((one.account, one.since_ms), 0)) for one in charges)
    return tuple(one for one in remaining if one.units > 0)


def result_bytes_max(charges: Iterable[Charge], argument_bytes: int) -> int | None:
    """How many bytes a result may have by what was reserved for it; None where nothing counts them."""
    rooms = [
        (charge.units - tokens(argument_bytes)) * TOKEN_BYTES
        for charge in charges
        if measure_of(charge.account) is Measure.TOKENS
    ]
    return max(0, min(rooms)) if rooms else None
