"""What the decision engine is given besides its memory and the ledger."""

from collections.abc import Callable
from typing import TypeAlias

from remit.facts.veil import Veil
from remit.policy.bundle import Bundle

BundleProvider: TypeAlias = Callable[[], Bundle]
VeilProvider: TypeAlias = Callable[[], Veil | None]
"""What veils declared secrets; None as long as no running bundle declared any."""


def no_veil() -> None:
    """Nothing veils: a tool with a secret is refused."""


def no_lease() -> None:
    """Nothing is left for a service that cannot be left anything."""
