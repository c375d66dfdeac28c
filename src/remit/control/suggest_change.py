"""What the drift of a tool changes of what is proposed for it, beside the catalog entry that it has.

An entry is a person's judgement of a definition. Where the definition has changed, what would be proposed by it may
have too: that says which members of the entry to judge again, and why. Nothing here changes an entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from remit.control.suggest import SuggestedSpec
from remit.control.suggest_text import flow
from remit.facts.canonical import Json
from remit.facts.text import one_line

_BY_NAME: Final = frozenset({"arguments", "impact"})


@dataclass(frozen=True, slots=True)
class SuggestionChange:
    """One member that is proposed otherwise, by its dotted `path` in a `spec`; a part of `results` by the part's path.

    `before` is what was proposed by the accepted definition, `after` what is by the live one, `entry` what the entry
    says; None where nothing. `because` is the reason for `after`.
    """

    path: str
    before: Json
    after: Json
    entry: Json
    because: str

    @property
    def text(self) -> str:
        """The change in one line, safe to print."""
        why = f" ({one_line(self.because)})" if self.because else ""
        says = "so" if _covers(self.entry, self.after) else _words(self.entry)
        change = f"now {_words(self.after)}{why}, before {_words(self.before)}"
        return f"{one_line(self.path)}: {change}; the entry says {says}"

    def to_json(self) -> Mapping[str, Json]:
        """The change, in words too."""
        return {
            "path": self.path,
            "before": self.before,
            "after": self.after,
            "entry": self.entry,
            "because": self.because,
            "text": self.text,
        }


def suggestion_changes(
    before: SuggestedSpec, after: SuggestedSpec, entry: Mapping[str, Json]
) -> tuple[SuggestionChange, ...]:
    """What of `before` is otherwise in `after`, by path; `entry` is the `spec` of the entry, as YAML spells it."""
    was, now, said = _members(before.spec), _members(after.spec), _members(entry)
    reasons = _reasons(after)
    return tuple(
        SuggestionChange(path, was.get(path), now.get(path), said.get(path), reasons.get(path, ""))
        for path in sorted(was.keys() | now.keys())
        if was.get(path) != now.get(path)
    )


def _members(spec: Mapping[str, Json]) -> dict[str, Json]:
    """What `spec` says, by path, in one spelling."""
    members: dict[str, Json] = {}
    for name, value in spec.items():
        if name in _BY_NAME and isinstance(value, Mapping):
            members |= {f"{name}.{inner}": _spelt(said) for inner, said in value.items()}
        elif name == "store" and isinstance(value, Mapping):
            members[name] = _store(value)
        elif name != "results":
            members[name] = _spelt(value)
    members |= {_part(part): {name: said for name, said in part.items() if name != "path"} for part in _parts(spec)}
    return {path: value for path, value in members.items() if value != {}}


def _parts(spec: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    return cast("Sequence[Mapping[str, Json]]", spec.get("results", ()))


def _part(part: Mapping[str, Json]) -> str:
    return f"results.{part['path']}"


def _store(value: Mapping[str, Json]) -> Json:
    """With its one key as a list of one."""
    keys: dict[str, Json] = {"keys": [value["key"]]} if "key" in value else {}
    return {**{name: member for name, member in value.items() if name != "key"}, **keys}


def _spelt(value: Json) -> Json:
    """Lists in order, what is off left out."""
    if isinstance(value, Mapping):
        return {name: member for name, member in value.items() if member is not False}
    return value if isinstance(value, str) or not isinstance(value, Sequence) else sorted(value, key=str)


def _reasons(proposal: SuggestedSpec) -> dict[str, str]:
    """Why what is proposed is, by path; parts of results have the reason of the first that was proposed with them."""
    reasons = dict(proposal.because)
    because = ""
    for index, part in enumerate(_parts(proposal.spec)):
        because = proposal.because.get(f"results.{index}", because)
        reasons[_part(part)] = because
    return reasons


def _covers(entry: Json, proposed: Json) -> bool:
    """Whether `entry` says what is `proposed`, and maybe more."""
    if isinstance(entry, Mapping) and isinstance(proposed, Mapping):
        return proposed.items() <= entry.items()
    return proposed is not None and entry == proposed


def _words(value: Json) -> str:
    return "nothing" if value is None else flow(value)
