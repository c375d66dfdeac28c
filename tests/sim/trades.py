"""What agents call, and with what. Those of a seed have one trade, so that things meet that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tests.sim.office import ADDRESS, OFFICE
from tests.sim.port import LIST, NAMES, PAGE, PORT, SHIP, moment
from tests.sim.realm import HUGE_OVER, OVERFLOWS_FROM, TOOLS
from tests.sim.stores import PUT, STORES, TAKE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

AMOUNTS: Final = (1, 60, 200, 200, HUGE_OVER + 1, OVERFLOWS_FROM)
Call: TypeAlias = "tuple[str, str, Mapping[str, Any]]"
"""A server, a tool of it, and the arguments."""
Trade: TypeAlias = tuple[tuple[str, str], ...]
GATED: Final[Trade] = (*(("shop", "pay"),) * 4, ("vault", "fetch"), *(("vault", "send"),) * 2)
PLAIN: Final[Trade] = (
    *(one for one in TOOLS if one[0] not in {OFFICE, PORT}),
    *(("shop", "pay"),) * 4,
    ("vault", "send"),
)
CLERKING: Final[Trade] = (
    *((OFFICE, "check"),) * 4,
    *((OFFICE, "wire"),) * 4,
    *((OFFICE, "draft"),) * 3,
    *((OFFICE, "release"),) * 3,
    *((OFFICE, "export"),) * 3,
    *((OFFICE, "look"),) * 2,
    ("vault", "fetch"),
)
STORING: Final[Trade] = (
    *(PUT,) * 4,
    *(TAKE,) * 4,
    *(("vault", "fetch"),) * 2,
    *(("shop", "echo"),) * 2,
    *(("vault", "send"),) * 3,
    *(("shop", "pay"),) * 3,
)
SHIPPING: Final[Trade] = (*(SHIP,) * 4, *(LIST,) * 2, *(PAGE,) * 2)
TRADES: Final = (*((PLAIN,) * 3), *((GATED,) * 3), *((CLERKING,) * 3), STORING)
"""What agents mostly call, seed by seed."""


def known_apart(server: str, tool: str) -> bool:
    """Whether no two calls of it are alike, so that each is known by its record."""
    return server in {OFFICE, PORT} or (server, tool) in STORES


def called(random: Random, trade: Trade) -> Call:
    """Some call of `trade`."""
    server, tool = random.choice(trade)
    note = f"n{random.randrange(1_000_000)}" if random.random() < 0.8 else "again"
    to = "stranger" if random.random() < (0.05 if trade is GATED else 0.25) else "eve"
    amount = random.choice(AMOUNTS if trade is not GATED else (*AMOUNTS, *(200,) * 6))
    if known_apart(server, tool):
        note = f"n{random.randrange(10**12)}{random.choice(('', f' {ADDRESS}'))}"
        to, amount = random.choice(NAMES if (server, tool) == SHIP else ("eve", "zoe")), min(amount, HUGE_OVER)
    if (server, tool) == LIST:
        note = moment(random)
    return server, tool, {"amount": amount, "note": note, "to": to}


def again(random: Random, call: Call) -> Call:
    """The like of `call`, for the same payee or for another; the user's words name neither."""
    server, tool, given = call
    return server, tool, {**given, "to": random.choice(("eve", "zoe"))}
