"""What detectors look for in a text, and the label that each find adds."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from remit.facts.label import Labels, closed


class Find(StrEnum):
    """What a detector finds in a text (`remit.protect.detect`)."""

    HIDDEN = "hidden"
    SECRET = "secret"  # noqa: S105
    PII = "pii"
    EMAIL = "email"


_LABELS: Final[Mapping[Find, str]] = MappingProxyType(
    {
        Find.HIDDEN: "untrusted:hidden",
        Find.SECRET: "confidential:secret",
        Find.PII: "confidential:pii",
        Find.EMAIL: "confidential:pii",
    }
)
INCIDENTS: Final = frozenset({Find.HIDDEN, Find.SECRET})
"""Finds that people are told of: where personal data is usual, it is no event."""


def finds_of(label: str) -> tuple[Find, ...]:
    """The finds that add `label`; none of one that no detector adds."""
    return tuple(find for find, added in _LABELS.items() if added == label)


def labels_of(finds: Collection[Find]) -> Labels:
    """All labels that `finds` add."""
    return closed(_LABELS[find] for find in finds)
