"""Labels: marks on data that only ever grow.

A label is a name with colon-separated parts, `untrusted:web`; holding it means holding every
shorter one (`untrusted`). Two families exist: integrity (`untrusted…`) and confidentiality
(`confidential…`).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

Labels: TypeAlias = frozenset[str]

LABEL: Final = re.compile(r"(untrusted|confidential)(:[a-z0-9][a-z0-9-]{0,31}){0,3}")
NONE: Final[Labels] = frozenset()


def closed(labels: Iterable[str]) -> Labels:
    """`labels` and everything each of them implies: `{"untrusted:web"}` brings `untrusted`."""
    return _closed(frozenset(labels))


@lru_cache(maxsize=1_024)
def _closed(labels: Labels) -> Labels:
    """Sets of labels are few and asked about by every action, so that they are kept."""
    implied: set[str] = set()
    for label in labels:
        parts = label.split(":")
        implied.update(":".join(parts[:end]) for end in range(1, len(parts) + 1))
    return frozenset(implied)
