"""Whether generated code is trusted: a sample of what it says is compared with cedarpy."""

from dataclasses import dataclass
from typing import Final

EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Where generated code and cedarpy disagreed, and what each said."""

    principal: str
    action: str
    generated: str
    cedar: str


@dataclass(slots=True)
class Shadow:
    """One evaluation in `every` is compared, the first among them; none where it is 0.

    `difference` is the first one found; from then on cedarpy alone judges. It is handed out by
    `unreported` once, to whoever can record it.
    """

    every: int = EVERY
    asked: int = 0
    difference: Difference | None = None
    told: bool = False

    def due(self) -> bool:
        """Count one evaluation; whether it is to be compared."""
        self.asked += 1
        return self.every > 0 and self.asked % self.every == 1 % self.every

    def unreported(self) -> Difference | None:
        """The difference, the first time that this is asked after it was found."""
        if self.told or self.difference is None:
            return None
        self.told = True
        return self.difference
