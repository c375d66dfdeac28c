"""What is wrong with a request, in plain words by field, and the command that shows what is right.

Never the validator's own sentence: it quotes patterns, which tell a person nothing, and may
quote the input, a token perhaps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from remit.control.authority import TTL_MAX_S
from remit.facts.durations import DAY_S
from remit.facts.text import escaped

_HELP: Final = "remit --help"
_FIELD_CHARS_MAX: Final = 64
_TOLD_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class ExpectedField:
    """What a field must be, as it follows "not …", and the command that helps; none: that of the route (`COMMANDS`)."""

    words: str
    next: str = ""


_NAME: Final = "a name: 1 to 63 letters, digits and . _ @ -, a letter or digit first"
_LONG_NAME: Final = "a name of 1 to 200 characters"
_REF: Final = "a decision id, which looks like r7f3-1.5"
_SID: Final = ExpectedField("a session id: 32 hexadecimal digits, or d- and 30 of them", "remit sessions ls")
_TEXT: Final = "a text of 1 to 1000 characters"
_STOPPED: Final = "agent, group, user, session, server, tool or everything"
_COUNT: Final = ExpectedField("a whole number from 1 to 1000", "remit logs --limit 100")

FIELDS: Final[Mapping[str, ExpectedField]] = MappingProxyType(
    {
        "after": ExpectedField(_REF, "remit logs"),
        "agent": ExpectedField(_NAME, "remit get agents"),
        "one": ExpectedField("a subject of the inventory, KIND/NAME or KIND/SPACE:NAME", "remit inventory ls"),
        "other": ExpectedField("a subject of the inventory, KIND/NAME or KIND/SPACE:NAME", "remit inventory ls"),
        "same": ExpectedField("true or false", "remit inventory same --help"),
        "sightings": ExpectedField(
            "a list of sightings, as remit discover host -o json writes them", "remit discover --help"
        ),
        "arguments": ExpectedField("a JSON object of arguments", "remit can --help"),
        "chain": ExpectedField("a list of the names of agents", "remit get agents"),
        "days": ExpectedField("a number of days from 1 to 366", "remit approvals stats --help"),
        "dry_run": ExpectedField("true or false", "remit apply --dry-run"),
        "groups": ExpectedField("a list of the names of groups", "remit get groups"),
        "ident": ExpectedField(_REF, "remit approvals ls"),
        "ids": ExpectedField("a list of 1 to 10000 decision ids, which look like r7f3-1.5"),
        "kind": ExpectedField(
            "a kind of token (agent, user, harness) or of action (call_tool, …)", "remit token --help"
        ),
        "last-event-id": ExpectedField(_REF, "remit logs"),
        "latest": _COUNT,
        "limit": _COUNT,
        "mode": ExpectedField("observe or enforce"),
        "name": ExpectedField(_NAME, "remit get agents"),
        "note": ExpectedField("a text of at most 2000 characters"),
        "open": ExpectedField("true or false", "remit approvals ls"),
        "owner": ExpectedField(_TEXT),
        "pin": ExpectedField("a pin: sha256: and 64 hexadecimal digits", "remit tools review"),
        "purpose": ExpectedField(_TEXT),
        "ref": ExpectedField(_REF, "remit logs"),
        "refresh": ExpectedField("true or false", "remit tools ls"),
        "server": ExpectedField("the name of a server: 1 to 24 of a-z, 0-9 and -", "remit get servers"),
        "sid": _SID,
        "text": ExpectedField("a text of 1 to 65536 characters", "remit sessions ls"),
        "token": ExpectedField("a token, nor the id of one", "remit token revoke --help"),
        "tool": ExpectedField("the name of a tool: 1 to 128 characters", "remit tools ls"),
        "ttl_s": ExpectedField(
            f"a duration from 1 s to {TTL_MAX_S // DAY_S} days, in whole seconds (at most {TTL_MAX_S})",
            "remit token --help",
        ),
        "user": ExpectedField(_NAME, "remit get users"),
        "bound": ExpectedField("= or <=", "remit approvals approve --help"),
        "found": ExpectedField(
            "an agent of the inventory, agent/NAME or agent/SPACE:NAME", "remit inventory ls --kind agent"
        ),
        "for_s": ExpectedField("a number of seconds"),
        "reason": ExpectedField("one of the reasons that the command lists"),
        "shown": ExpectedField("the nonce of the approval as it was shown", "remit approvals show ID -o json"),
        "to": ExpectedField(_NAME, "remit get users"),
        "value": ExpectedField("a value that fits what it is for", "remit approvals approve --help"),
        "uses": ExpectedField("a whole number of times", "remit approvals approve --help"),
        "terms": ExpectedField(
            "terms as a dry run names them: sha256: and 64 hexadecimal digits", "remit grants show ID -o json"
        ),
        "scope": ExpectedField("session or tool", "remit approvals approve --help"),
        "where": ExpectedField("a list of arguments, each held to a value", "remit approvals approve --help"),
        "which": ExpectedField("SERVER or SERVER/TOOL of at most 200 characters", "remit tools review"),
        "why": ExpectedField(_TEXT),
        "id": ExpectedField(_REF, "remit ledger in-doubt"),
        "happened": ExpectedField("true or false"),
        "whose": ExpectedField("whose account or breaker, such as: agent clerk"),
        "resolution": ExpectedField("resolved, expected or false-alarm"),
        "admission": ExpectedField("the id of a look at a change, as it is shown", "remit apply --admit"),
        "look": ExpectedField("the id of a look at a change, as it is shown", "remit apply --admit"),
        "checks": ExpectedField("a list of: cases, guarantees, chains, replay, attack", "remit admission show ID"),
        "breach": ExpectedField("the digest of what is broken, as it is shown", "remit guarantees ls"),
    }
)
"""Every field of a request, wherever it stands."""

IN_PATH: Final[Mapping[str, ExpectedField]] = MappingProxyType(
    {
        "kind": ExpectedField(
            "a kind: agents, users, groups, servers, tools, policies, routes, channels, sources, budgets, breakers, "
            "monitors, guarantees and admissions are",
            "remit get agents",
        ),
        "name": ExpectedField(_LONG_NAME, "remit get agents"),
    }
)
"""Fields that mean something else where they are part of an address."""

IN_NOUN: Final[Mapping[tuple[str, str], ExpectedField]] = MappingProxyType(
    {
        ("breakers", "name"): ExpectedField(_LONG_NAME, "remit get breakers"),
        ("budgets", "name"): ExpectedField(_LONG_NAME, "remit get budgets"),
        ("grants", "ident"): ExpectedField("the id of a grant, which looks like r7f3-1.5", "remit grants ls"),
        ("guarantees", "name"): ExpectedField(_LONG_NAME, "remit get guarantees"),
        ("halts", "kind"): ExpectedField(_STOPPED),
        ("halts", "name"): ExpectedField("a name of at most 200 characters"),
        ("incidents", "ident"): ExpectedField("the id of an incident, which looks like r7f3-1.5", "remit incidents ls"),
        ("inventory", "name"): ExpectedField(_LONG_NAME, "remit inventory ls"),
        ("passkeys", "id"): ExpectedField("the id of a passkey: 12 hexadecimal digits", "remit passkeys ls"),
        ("servers", "name"): ExpectedField(_LONG_NAME, "remit get servers"),
    }
)
"""Fields that mean something else below a noun of the API, the first part of a route."""

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/admissions/{look}/override": "remit admission override",
        "/agents/{name}": "remit agents register",
        "/approvals/{ident}/approve": "remit approvals approve",
        "/approvals/{ident}/break-glass": "remit break-glass",
        "/approvals/{ident}/delegate": "remit approvals delegate",
        "/approvals/{ident}/deny": "remit approvals deny",
        "/approvals/{ident}/grant": "remit approvals approve",
        "/approvals/{ident}/review": "remit approvals review",
        "/approvals/{ident}/stop": "remit approvals stop",
        "/breakers/{name}/reset": "remit breakers reset",
        "/budgets/{name}/reset": "remit budgets reset",
        "/grants/{ident}/revoke": "remit grants revoke",
        "/guarantees/{name}/sign-off": "remit guarantees sign-off",
        "/halts": "remit halt",
        "/halts/resume": "remit resume",
        "/incidents/{ident}/close": "remit incidents close",
        "/ledger/erase": "remit ledger erase",
        "/ledger/settle": "remit ledger settle",
        "/passkeys/remove": "remit passkeys remove",
    }
)
"""By route, the command that asks for it, where fields lead to that one's help."""


def sentences_of(errors: Sequence[Mapping[str, Any]], route: str = "") -> tuple[tuple[str, ...], str]:
    """A sentence for each of pydantic's `errors`, and the command that the first calls for; `route` has no prefix."""
    sentences: dict[str, str] = {}
    for error in errors[:_TOLD_MAX]:
        sentence, following = _sentence(tuple(error["loc"]), str(error["type"]), route)
        sentences.setdefault(sentence, following)
    return tuple(sentences), next(iter(sentences.values()), _HELP)


def expected_field(part: str, name: str, route: str) -> ExpectedField | None:
    """What the field `name` in `part` of a request to `route` must be; None where it is no field."""
    field = IN_NOUN.get((route.split("/", 2)[1] if route else "", name))
    field = field or (IN_PATH.get(name) if part == "path" else None) or FIELDS.get(name)
    if field is None or field.next:
        return field
    return replace(field, next=f"{COMMANDS.get(route, 'remit')} --help")


def _sentence(place: tuple[object, ...], kind: str, route: str) -> tuple[str, str]:
    if len(place) < 2:
        return "the request's body is not a JSON object", _HELP
    part, name = str(place[0]), escaped(str(place[1]), chars_max=_FIELD_CHARS_MAX)
    field = expected_field(part, name, route)
    following = _HELP if field is None else field.next
    match kind:
        case "extra_forbidden":
            return f"{name}: there is no such field", following
        case "missing":
            return f"{name} is missing", following
        case "json_invalid":
            return "the request's body is not JSON", _HELP
        case _ if field is None:
            return f"{name}: not what belongs here", following
        case _:
            label = "" if part == "path" else f"{name}: "
            return f"{label}not {field.words}", following
