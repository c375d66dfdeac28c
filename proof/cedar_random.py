"""Random Cedar policies and requests over a small world: typed, or with parts of any other type here and there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from proof.cedar import Policies
from remit.policy.compiled.generate import COMMON

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from remit.facts.canonical import Json

KINDS: Final = ("bool", "long", "string", "set", "entity", "decimal", "ip", "datetime", "duration", "record")
WILD: Final = 0.06
DEPTH_MAX: Final = 4

LONGS: Final = ("0", "1", "-1", "7", "60", "86400000", "9223372036854775807", "(-9223372036854775808)")
STRINGS: Final = ('"a"', '"ab"', '"a*b"', '"*"', '""', '"é"', '"1"', '"x\\"); import os #"', '"1.0"', '"\\u{0}"')
PATTERNS: Final = ('"*"', '"a*"', '"*b"', '"a\\*b"', '"a*b"', '""', '"*a*b*"', '"**"', '"a"')
DECIMALS: Final = (
    *("0.0", "1.5", "-0.0001", "922337203685477.5807", "-922337203685477.5808", "-00.10", "100.0", "12.25"),
    *("922337203685477.5808", "1.23456", "1.", "\u0661.0", " 1.0", "1e5"),
)
IPS: Final = (
    *("10.0.0.1", "10.0.0.0/8", "10.1.0.0/16", "127.0.0.1", "127.0.0.0/7", "224.0.0.1/4", "::1", "::1/128", "::1/127"),
    *("ff00::/8", "ff00::/7", "0.0.0.0/0", "::/0", "::ffff:7f00:1", "2001:DB8::1/64", "1.2.3.4/32", "fe80::1"),
    *(
        "01.0.0.0",
        "1.2.3.4/33",
        "::ffff:1.2.3.4",
        "fe80::1%1",
        "1::2:3:4:5:6:7:8",
        "1.2.3.4/08",
        "1.2.3",
        "1.2.3.4/",
        "",
    ),
)
DATETIMES: Final = (
    *("2026-01-31", "0000-01-01", "9999-12-31T23:59:59.999Z", "2024-02-29", "2026-01-31T10:00:00Z", "2000-02-29"),
    *(
        "2026-01-31T10:00:00.001Z",
        "2026-01-31T10:00:00+0130",
        "1969-12-31T23:59:59.999-2359",
        "0004-12-31",
        "1970-01-01",
    ),
    *("2023-02-29", "2026-13-01", "2026-1-1", "2026-01-31T10:00:00.5Z", "2026-01-31T24:00:00Z", "2026-01-31T10:60:00Z"),
    *(
        "2026-01-31T10:00:60Z",
        "2026-01-31T10:00:00-2400",
        "2026-01-31T10:00:00",
        "1900-02-29",
        "2026-00-10",
        "2026-04-31",
    ),
)
DURATIONS: Final = (
    *("0ms", "1d2h3m4s5ms", "-1d", "90m", "-5s", "59s", "00001h", "9223372036854775807ms", "-9223372036854775808ms"),
    *("106751991167d", "9223372036854775808ms", "", "-", "1", "1ms1s", "106751991168d"),
)
ENTITIES: Final = (
    *('User::"ann"', 'User::"bob"', 'User::"nobody"', 'Group::"staff"', 'Group::"all"', 'Doc::"d"', 'Action::"view"'),
)
SETS: Final = ("[]", "[1]", "[true]", "[1, true]", "[[1]]", '["a", "a"]', '[User::"ann", Group::"all"]', "[{a: 1}]")
TYPES: Final = ("User", "Group", "Doc", "Action", "Other")
VARIABLES: Final = ("principal", "resource", "action")
ATTRIBUTES: Final[Mapping[str, str]] = {
    "bool": "b",
    "long": "n",
    "string": "s",
    "set": "l",
    "entity": "e",
    "decimal": "d",
    "ip": "i",
    "datetime": "t",
    "duration": "u",
    "record": "r",
}


def expression(rng: random.Random, kind: str, depth: int, wild: float) -> str:
    """The text of an expression of `kind`; where `wild`, now and then of another."""
    if rng.random() < wild:
        kind = rng.choice(KINDS)

    def part(of: str) -> str:
        return expression(rng, of, depth - 1, wild)

    if depth <= 0 or rng.random() < 0.15:
        return _leaf(rng, kind)
    if rng.random() < 0.08:
        return f"(if {part('bool')} then {part(kind)} else {part(kind)})"
    return rng.choice(_COMPOSED[kind])(rng, part)


def _leaf(rng: random.Random, kind: str) -> str:
    source = rng.choice(("literal", "context", "context", "principal", "resource"))
    if source != "literal":
        inner = ".r" if rng.random() < 0.2 else ""
        return f"{source}{inner}.{ATTRIBUTES[kind]}"
    match kind:
        case "bool":
            return rng.choice(("true", "false"))
        case "long":
            return rng.choice(LONGS)
        case "string":
            return rng.choice(STRINGS)
        case "set":
            return rng.choice(SETS)
        case "entity":
            return rng.choice((*ENTITIES, *VARIABLES))
        case "record":
            return rng.choice(("{}", "{n: 1}", "{n: true, s: [1]}", "context"))
        case "decimal":
            return f'decimal("{_mostly_right(rng, DECIMALS)}")'
        case "ip":
            return f'ip("{_mostly_right(rng, IPS)}")'
        case "datetime":
            return f'datetime("{_mostly_right(rng, DATETIMES)}")'
        case _:
            return f'duration("{_mostly_right(rng, DURATIONS)}")'


def _mostly_right(rng: random.Random, texts: tuple[str, ...]) -> str:
    """One of `texts`, of which the last are wrong, so that few policies err for a literal alone."""
    return texts[min(rng.randrange(len(texts)) for _ in range(3))]


def _two(form: str, left: str, right: str | None = None) -> Callable[[random.Random, Callable[[str], str]], str]:
    return lambda _, part: form.format(part(left), part(right or left))


def _one(form: str, kind: str) -> Callable[[random.Random, Callable[[str], str]], str]:
    return lambda _, part: form.format(part(kind))


def _get(kind: str) -> Callable[[random.Random, Callable[[str], str]], str]:
    return lambda rng, part: f"({part(rng.choice(('record', 'entity')))}).{ATTRIBUTES[kind]}"


def _same(rng: random.Random, part: Callable[[str], str]) -> str:
    kind = rng.choice(KINDS)
    return f"({part(kind)} {rng.choice(('==', '!='))} {part(kind)})"


def _order(rng: random.Random, part: Callable[[str], str]) -> str:
    kind = rng.choice(("long", "long", "datetime", "duration"))
    return f"({part(kind)} {rng.choice(('<', '<=', '>', '>='))} {part(kind)})"


def _has(rng: random.Random, part: Callable[[str], str]) -> str:
    name = rng.choice((*ATTRIBUTES.values(), "zz", "r.n", "e.n"))
    return f"({part(rng.choice(('record', 'entity')))} has {name})"


def _contains(rng: random.Random, part: Callable[[str], str]) -> str:
    return f"{part('set')}.contains({part(rng.choice(KINDS))})"


def _like(rng: random.Random, part: Callable[[str], str]) -> str:
    return f"({part('string')} like {rng.choice(PATTERNS)})"


def _is(rng: random.Random, part: Callable[[str], str]) -> str:
    held = f" in {part('entity')}" if rng.random() < 0.4 else ""
    return f"({part('entity')} is {rng.choice(TYPES)}{held})"


def _in(rng: random.Random, part: Callable[[str], str]) -> str:
    many = "[" + ", ".join(rng.choice(ENTITIES) for _ in range(rng.randrange(3))) + "]"
    return f"({part('entity')} in {part('entity') if rng.random() < 0.5 else many})"


def _record(rng: random.Random, part: Callable[[str], str]) -> str:
    return "{" + ", ".join(f"{ATTRIBUTES[kind]}: {part(kind)}" for kind in rng.sample(KINDS, 2)) + "}"


def _set(rng: random.Random, part: Callable[[str], str]) -> str:
    kind = rng.choice(KINDS)
    return "[" + ", ".join(part(kind) for _ in range(rng.randrange(4))) + "]"


_COMPOSED: Final = {
    "bool": (
        *(_same, _order, _has, _contains, _like, _is, _in),
        *(_two("({} && {})", "bool"), _two("({} || {})", "bool"), _one("!({})", "bool")),
        *(_two("{}.containsAll({})", "set"), _two("{}.containsAny({})", "set"), _one("{}.isEmpty()", "set")),
        *(_two("{}.lessThan({})", "decimal"), _two("{}.lessThanOrEqual({})", "decimal")),
        *(_two("{}.greaterThan({})", "decimal"), _two("{}.greaterThanOrEqual({})", "decimal")),
        *(_one("{}.isIpv4()", "ip"), _one("{}.isIpv6()", "ip"), _one("{}.isLoopback()", "ip")),
        *(_one("{}.isMulticast()", "ip"), _two("{}.isInRange({})", "ip"), _two("{}.hasTag({})", "entity", "string")),
    ),
    "long": (
        *(_two("({} + {})", "long"), _two("({} - {})", "long"), _two("({} * {})", "long"), _one("(-({}))", "long")),
        *(_one(f"{{}}.to{unit}()", "duration") for unit in ("Milliseconds", "Seconds", "Minutes", "Hours", "Days")),
        *(_get("long"), _two("{}.getTag({})", "entity", "string")),
    ),
    "string": (_get("string"),),
    "set": (_set, _get("set")),
    "entity": (_get("entity"),),
    "record": (_record, _get("record")),
    "decimal": (_get("decimal"), _one("decimal({})", "string")),
    "ip": (_get("ip"), _one("ip({})", "string")),
    "datetime": (_two("{}.offset({})", "datetime", "duration"), _one("{}.toDate()", "datetime"), _get("datetime")),
    "duration": (
        *(_two("{}.durationSince({})", "datetime"), _one("{}.toTime()", "datetime"), _get("duration")),
        _one("duration({})", "string"),
    ),
}


def policies(rng: random.Random, *, wild: float) -> Policies:
    """A set of permits, so that each satisfied one is named, and perhaps a forbid; the world they look at.

    In half of the sets, code makes every test once that it can, as in a slice whose policies repeat them.
    """
    said = [policy(rng, "permit", wild) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.2:
        said.append(policy(rng, "forbid", wild))
    return Policies("\n".join(said), json.dumps(_world(rng)), common=rng.choice((1, COMMON)))


def policy(rng: random.Random, effect: str, wild: float) -> str:
    """The text of one policy."""
    who = rng.choice(("principal", "principal", 'principal in Group::"staff"', 'principal is User in Group::"all"'))
    what = rng.choice(("action", 'action == Action::"view"', 'action in [Action::"all", Action::"x"]'))
    which = rng.choice(("resource", "resource is Doc", 'resource == Doc::"d"'))
    tail = f" unless {{ {expression(rng, 'bool', 2, wild)} }}" if rng.random() < 0.2 else ""
    return f"{effect} ({who}, {what}, {which}) when {{ {expression(rng, 'bool', DEPTH_MAX, wild)} }}{tail};"


def request(rng: random.Random) -> Mapping[str, Json]:
    """A request about that world."""
    return {
        "principal": {"type": "User", "id": rng.choice(("ann", "bob", "nobody"))},
        "action": {"type": "Action", "id": rng.choice(("view", "edit"))},
        "resource": {"type": "Doc", "id": "d"},
        "context": _attributes(rng, inner=True),
    }


def _world(rng: random.Random) -> list[Json]:
    def entity(kind: str, name: str, *parents: tuple[str, str], told: bool = True) -> Json:
        attributes = _attributes(rng, inner=True) if told else {}
        tags: Json = {"a": 1, "": True, "ab": "x"} if told else {}
        above: list[Json] = [{"type": above, "id": ident} for above, ident in parents]
        return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": above, "tags": tags}

    return [
        entity("User", "ann", ("Group", "staff")),
        entity("User", "bob", ("Group", "all")),
        entity("Group", "staff", ("Group", "all"), told=False),
        entity("Group", "all", told=False),
        entity("Doc", "d"),
        entity("Action", "view", ("Action", "all"), told=False),
        entity("Action", "all", told=False),
    ]


def _attributes(rng: random.Random, *, inner: bool) -> dict[str, Json]:
    def made(function: str, text: str) -> Json:
        return {"__extn": {"fn": function, "arg": text}}

    everything: dict[str, Json] = {
        "b": rng.choice((True, False)),
        "n": rng.choice((0, 1, -1, 7, 2**63 - 1, -(2**63))),
        "s": rng.choice(("", "a", "ab", "a*b", "é")),
        "l": rng.choice(([], [1], [True], [1, True], ["a"], [{"__entity": {"type": "Group", "id": "all"}}])),
        "e": {"__entity": {"type": rng.choice(("User", "Group")), "id": rng.choice(("ann", "all", "nobody"))}},
        "d": made("decimal", rng.choice(("0.0", "1.5", "-3.25"))),
        "i": made("ip", rng.choice(("10.0.0.1", "10.0.0.0/8", "::1"))),
        "t": made("datetime", rng.choice(("2026-01-31T10:00:00Z", "1969-12-31"))),
        "u": made("duration", rng.choice(("1h", "-90s", "0ms"))),
    }
    if inner:
        everything["r"] = _attributes(rng, inner=False)
    return {name: value for name, value in everything.items() if rng.random() < 0.97}
