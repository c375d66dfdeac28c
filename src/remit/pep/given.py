"""What a desk is given besides its memory and the ledger."""

from collections.abc import Callable
from typing import TypeAlias

from remit.facts.veil import Veil
from remit.policy.bundle import Bundle

Current: TypeAlias = Callable[[], Bundle]
Veiling: TypeAlias = Callable[[], Veil | None]
"""What veils declared secrets; None as long as no running bundle declared any."""


def unveiled() -> None:
    """Nothing veils: a tool with a secret is refused."""


def unleased() -> None:
    """Nothing is left for a service that cannot be left anything."""
