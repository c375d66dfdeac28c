"""Which values of an action a gate is about: those that its policy looks at.

A gate that looks at an argument is about all of it; one that looks at how much is moved, about where that is found; one
that looks at origins, about the values that have them. One that looks at none of these is about no value.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from remit.facts.impact import NONE, Extractors
from remit.facts.lineage import Lineage
from remit.facts.origin import Origin, Role
from remit.policy.form import AttributePath

_ROLES: Final[Mapping[str, Role]] = MappingProxyType(
    {
        "targets": Role.TARGET,
        "content": Role.CONTENT,
        "credentials": Role.CREDENTIAL,
        "carried": Role.CONTENT,
    }
)
_ORIGINS: Final[Mapping[str, Origin]] = MappingProxyType({origin.word: origin for origin in Origin})


def concerned(
    accesses: Iterable[AttributePath], values: Collection[Lineage], measured: Extractors = NONE
) -> frozenset[str]:
    """The paths of those `values` that a policy with these `accesses` is about; `measured` is what tells how much."""
    paths: set[str] = set()
    for access in accesses:
        match access.path:
            case _ if access.root != "context":
                continue
            case ("impact", measure) if measure in measured:
                argument = Lineage(measured[measure].path, None).argument
                paths |= {one.path for one in values if one.argument == argument}
            case path:
                paths |= {one.path for one in values if _about(path, one)}
    return frozenset(paths)


def _about(path: tuple[str, ...], value: Lineage) -> bool:
    match path:
        case () | ("input",):
            return True
        case ("input", name, *_):
            return value.argument == name
        case ("args", *rest):
            return _as_bad(rest[0] if rest else "", value)
        case (group, *rest) if group in _ROLES:
            return _counts(group, value) and _as_bad(rest[0] if rest else "", value)
        case _:
            return False


def _counts(group: str, value: Lineage) -> bool:
    """Whether `value` counts in `context.<group>`: what content carries counts among the targets as well."""
    if value.carries and value.role is Role.CONTENT and group in {"targets", "carried"}:
        return True
    return group != "carried" and value.role is _ROLES[group]


def _as_bad(word: str, value: Lineage) -> bool:
    """Whether `value` has the origin `word`; where that names none, whether it has one that nobody vouches for."""
    if word in _ORIGINS:
        return value.origin is _ORIGINS[word]
    return value.suspect
