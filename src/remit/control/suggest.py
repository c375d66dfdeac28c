"""A catalog entry proposed for each tool, from what the definitions of its server's tools say and nothing else.

What `remit tools review`, `remit tools suggest` and the API propose is what this module says.

Laws
* Deterministic: the same definitions give the same entries, each line with its reason.
* The worst case where unsure. What a server claims of itself (annotations) lowers nothing that a name contradicts.
* A person accepts: nothing here is read by a decision until somebody has written it into a workspace.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from remit.control import suggest_words as words
from remit.control.flow import leads_somewhere
from remit.control.resources import ResourceKind
from remit.control.suggest_effect import effect_of, spoken
from remit.control.suggest_impact import measures
from remit.control.suggest_schema import enumerated, kinds, properties
from remit.control.suggest_siblings import Siblings, siblings_of, singular
from remit.control.suggest_sink import sink_of
from remit.facts.canonical import Json
from remit.facts.results import elements, steps
from remit.facts.tool import Definition, Effect, Sink

_TIMES: Final = frozenset({"date", "date-time", "duration", "time"})


@dataclass(frozen=True, slots=True)
class SuggestedSpec:
    """What a workspace might say of the Tool `name` (SERVER/TOOL), or of a Server that it declares at `where` already.

    `spec` is as YAML spells it, `because` by dotted path in it.
    """

    name: str
    spec: Mapping[str, Json]
    because: Mapping[str, str]
    kind: ResourceKind = ResourceKind.TOOL
    where: str = ""

    def to_json(self) -> Mapping[str, Json]:
        """What is proposed, and why."""
        return {"spec": dict(self.spec), "because": dict(self.because)}


@dataclass(slots=True)
class _Entry:
    """A proposal on the way."""

    definition: Definition
    name: tuple[str, ...]
    spec: dict[str, Json] = field(default_factory=dict[str, Json])
    because: dict[str, str] = field(default_factory=dict[str, str])

    def says(self, path: str, value: Json, because: str) -> None:
        """Set the member at top level `path`."""
        self.spec[path] = value
        self.because[path] = because


def propose(server: str, definitions: Iterable[Definition]) -> tuple[SuggestedSpec, ...]:
    """An entry for each of `definitions`, which are all that `server` is known to have, by name."""
    entries = [_Entry(one, spoken(one.name)) for one in sorted(definitions, key=lambda one: one.name)]
    siblings = siblings_of(entry.definition for entry in entries)
    for entry in entries:
        effect = _effect(entry)
        _sink(entry, effect)
        _source(entry, effect)
        _arguments(entry, effect)
        if effect is Effect.READ or (entry.name[:1] and entry.name[0] in words.MAKES):
            _results(entry, siblings, effect)
        if effect is not Effect.READ:
            _asks(entry, spoken(server))
            _impact(entry)
        _store(server, entry, siblings)
    return tuple(
        SuggestedSpec(
            f"{server}/{entry.definition.name}", MappingProxyType(entry.spec), MappingProxyType(entry.because)
        )
        for entry in entries
    )


def _effect(entry: _Entry) -> Effect:
    effect, why = effect_of(entry.definition)
    entry.says("effect", effect.value, why)
    return effect


def _sink(entry: _Entry, effect: Effect) -> None:
    sink, why = sink_of(entry.definition, effect)
    entry.says("sink", sink.value, why)


def _source(entry: _Entry, effect: Effect) -> None:
    described = set(spoken(entry.definition.description))
    labels, why = ["untrusted"], "anybody may have written what it returns"
    if web := sorted(set(entry.name) & words.WEB):
        labels, why = ["untrusted:web"], f"its name says {web[0]!r}"
    elif effect is Effect.READ and "current" in entry.name and set(entry.name) & {"date", "day", "time"}:
        labels, why = [], "it tells the time"
    if effect is Effect.READ and (personal := sorted((described | set(entry.name)) & words.PERSONAL)):
        labels.append("confidential:pii")
        why += f"; it is about {personal[0]!r}"
    entry.says("source", labels, why)


def _arguments(entry: _Entry, effect: Effect) -> None:
    reads = effect is Effect.READ and entry.spec["sink"] == Sink.INTERNAL.value
    roles: dict[str, Json] = {}
    for argument, schema in properties(entry.definition).items():
        found = ("key", "it says what is asked for") if reads else _role(spoken(argument), schema)
        if found is not None:
            role, why = found
            roles[argument] = {"role": role}
            entry.because[f"arguments.{argument}"] = why
    if roles:
        entry.spec["arguments"] = roles


def _role(name: tuple[str, ...], schema: Mapping[str, Json]) -> tuple[str, str] | None:
    """The role of an argument and why; None where nothing says one, which counts as a target."""
    said = set(name)
    if found := sorted(said & words.CREDENTIALS):
        return "credential", f"it is a {found[0]}"
    types = kinds(schema)
    if types <= {"boolean"}:
        return "content", "a switch says whether, not where"
    if enumerated(schema):
        return "content", "it is one of a few values"
    last = name[-1] if name else ""
    if {last, singular(last)} & words.TARGETS:
        return "target", f"{last} says whom or what it reaches"
    if last in words.TELLING and (found := sorted(word for word in name[:-1] if singular(word) in words.TARGETS)):
        return "target", f"{found[0]} {last} says whom or what it reaches"
    if found := sorted(said & words.CONTENTS):
        return "content", f"{found[0]} is what it carries"
    if types <= {"number"} or schema.get("format") in _TIMES:
        return "content", "it says how much or when, not where"
    if found := sorted(word for word in said if {word, singular(word)} & words.TARGETS):
        return "target", f"{found[0]} says whom or what it reaches"
    return None


def _asks(entry: _Entry, server: tuple[str, ...]) -> None:
    verb = next((word for word in entry.name if word in words.ASKED), None)
    if verb is None:
        return
    asked = list(words.ASKED[verb])
    nouns = set(entry.name)
    if not asked:
        # Many servers begin each name with their own, which asks for nothing in particular.
        things = [singular(word) for word in entry.name if word not in {verb, *server, *words.PASSED_OVER}]
        asked = [said for thing in things for said in words.THINGS.get(thing, (thing,))]
    described = nouns | set(spoken(entry.definition.description))
    why = f"people ask for it so, its name saying {verb!r}"
    if verb in {"send", "transfer", "pay"} and (money := sorted(described & words.MONEY)):
        asked = [verb, *words.PAID]
        why += f" and {money[0]!r}"
    elif verb == "send" and described & words.MAILED:
        asked += ["email", "mail"]
    elif verb == "send" and described & words.SPOKEN:
        asked += list(words.POSTED)
    entry.says("asks", sorted(set(asked)), why)


def _impact(entry: _Entry) -> None:
    given = properties(entry.definition).items()
    found = measures({name: (spoken(name), kinds(schema)) for name, schema in given})
    if found:
        entry.spec["impact"] = {measure: said for measure, (said, _) in found.items()}
        entry.because |= {f"impact.{measure}": why for measure, (_, why) in found.items()}


def _results(entry: _Entry, siblings: Siblings, effect: Effect) -> None:
    """Parts of what it returns that are the server's own, whoever wrote the rest."""
    head = next((word for word in entry.name[1:] if word not in words.PASSED_OVER), "")
    parts: list[Json] = []

    def say(why: str, paths: Iterable[str], label: str, **flags: bool) -> None:
        # Where nothing is declared, anything may be there.
        schema = entry.definition.output_schema
        there = [path for path in paths if leads_somewhere(schema, steps(path) or (), elements(path))]
        if there:
            entry.because[f"results.{len(parts)}"] = why
            parts.extend({"path": path, "label": label, **flags} for path in there)

    if effect is Effect.READ and head in words.DIRECTORIES:
        why = f"it lists {head}: what is known here by these names, whoever chose them"
        say(why, ("$[*]",), "untrusted", directory=True)
    elif taker := siblings.taker(entry.name):
        ids = ("$.id", "$.id_", "$[*].id", "$[*].id_")
        say(f"ids are given by the server; {taker} takes one", ids, "trusted")
        if namer := siblings.namer(entry.name):
            why, paths = f"{namer.tool} says what one is called", [f"{root}.{namer.argument}" for root in ("$", "$[*]")]
            say(why, paths, "trusted", identity=True)
    if parts:
        entry.spec["results"] = parts
        if entry.definition.output_schema is None:
            entry.says("format", "yaml", "nothing says how it is written, and YAML is read where it is no JSON")


def _store(server: str, entry: _Entry, siblings: Siblings) -> None:
    """Where it keeps what others find."""
    kept = siblings.store(entry.name)
    if kept is None:
        return
    store: dict[str, Json] = {"name": f"{server[: 23 - len(kept.noun)]}-{kept.noun}"}
    if kept.key is not None:
        store["key"] = kept.key
    why = "what one tool writes there another reads; they name it differently, so that all of it is one"
    entry.says("store", store, why if kept.key is None else f"what one tool writes by {kept.key} another reads")
