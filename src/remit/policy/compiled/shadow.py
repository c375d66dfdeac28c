"""Whether generated code is trusted: a sample of what it says is compared with cedarpy."""

from dataclasses import dataclass
from typing import Final

from remit.facts.canonical import Json

EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Where generated code and cedarpy disagreed, and what each said."""

    principal: str
    action: str
    generated: str
    cedar: str

    @property
    def members(self) -> dict[str, Json]:
        """As a record keeps it."""
        return {"principal": self.principal, "generated": self.generated, "cedar": self.cedar}


@dataclass(slots=True)
class Shadow:
    """One evaluation in `every` is compared, the first among them; none where it is 0.

    `difference` is the first one found; from then on cedarpy alone judges. Whoever has recorded it
    sets `reported`.
    """

    every: int = EVERY
    evaluations: int = 0
    difference: Difference | None = None
    reported: bool = False

    def due(self) -> bool:
        """Count one evaluation; whether it is to be compared."""
        self.evaluations += 1
        return self.every > 0 and self.evaluations % self.every == 1 % self.every

    @property
    def unreported(self) -> Difference | None:
        """The difference, as long as it is not recorded."""
        return None if self.reported else self.difference
