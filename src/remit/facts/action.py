"""One thing an agent is about to do, and the hash that binds an approval to exactly it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from remit.facts.agent import Authority
from remit.facts.budget import Charge
from remit.facts.canonical import Json, canonical, digest, quoted
from remit.facts.mark import Mark


class ActionKind(StrEnum):
    """The kinds of action."""

    CALL_TOOL = "call_tool"
    CALL_MODEL = "call_model"
    READ_RESOURCE = "read_resource"
    GET_PROMPT = "get_prompt"
    LIST_ROOTS = "list_roots"
    DELEGATE = "delegate"


class Own(NamedTuple):
    """What an action under way has counted for since it was let through at `at_ms`: its rounds are judged without.

    `marks` are those of its intent: what monitors keep has taken them after the turn `since`, up to the turn `until`
    (`protect.past`). `charges` are what it took from budgets, `calls` and `irreversible` what it is in its sessions.
    """

    at_ms: int = 0
    marks: tuple[Mark, ...] = ()
    since: int = 0
    until: int = 0
    charges: tuple[Charge, ...] = ()
    calls: int = 0
    irreversible: int = 0


NOTHING_OWN: Final = Own()


@dataclass(frozen=True, slots=True)
class Within:
    """A round of an action that is under way: the server asked, and these are the client's responses.

    `intent` is the decision id of the action's intent, `approval` the one it runs under; `number` counts
    from 1; `responses` is the RFC 8785 form of the responses by the server's keys, `questions` that of what
    the client was asked by them, which people are shown. `bare` responses say yes or no and bring nothing.
    `own` is what the action is not to be held against itself.
    """

    intent: str
    approval: str | None
    number: int
    responses: bytes
    questions: bytes
    bare: bool
    own: Own = NOTHING_OWN

    @property
    def bound(self) -> tuple[int, str, str]:
        """What of the round an approval binds: its number, its responses and its questions, as SHA-256 in hex."""
        responses, questions = (hashlib.sha256(part).hexdigest() for part in (self.responses, self.questions))
        return self.number, responses, questions


@dataclass(frozen=True, slots=True)
class Shaping:
    """How an action came to have other arguments than its agent asked for: obligations changed them `changes` times.

    `requested` is `sha256:…` of those that he asked for, as they would have been recorded. `addresses` are those that
    were looked up for it, by host; nobody looks these up again. An empty one: there is none. `numbers` are those that
    were asked for where an obligation set another, by argument; None where none was given.
    """

    requested: str
    changes: int = 0
    addresses: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    numbers: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self, secrets: Collection[str] = ()) -> Mapping[str, Json]:
        """As it stands in the record of the action, which tells no number of the arguments `secrets`."""
        numbers = {name: asked for name, asked in self.numbers.items() if name not in secrets}
        members: dict[str, Json] = {"asked": self.requested, "addresses": dict(self.addresses)}
        return members | ({"numbers": numbers} if numbers else {})


@dataclass(frozen=True, slots=True)
class Action:
    """An action as the enforcement point understood it.

    `server` and `name` say what is reached: the tool's own name, a resource's URI, a prompt's name; the
    model of `call_model`; the sub-agent of a delegation, whose `server` is empty. To read or get nothing
    by name is to list what there is. `arguments` is the canonical form (RFC 8785) of `input`: the bytes
    that are judged and forwarded, and hashed and recorded, unless `veiled` stands for them there (`facts.veil`).
    `within` says that the action is under way and goes on; `trace` is the W3C traceparent of the request,
    `stated_reason` the agent's own: neither decides anything, and no policy sees them. `shaping` is there where
    obligations had a part in it.
    """

    kind: ActionKind
    server: str
    name: str
    arguments: bytes
    input: Mapping[str, Json]
    authority: Authority
    within: Within | None = None
    trace: str | None = None
    veiled: bytes | None = None
    stated_reason: str | None = None
    shaping: Shaping | None = None

    @property
    def recorded(self) -> bytes:
        """The arguments as they are hashed and recorded."""
        return self.arguments if self.veiled is None else self.veiled

    def shaped(self, arguments: Mapping[str, Json]) -> "Action":
        """The action with these `arguments`, by an obligation. Raises `ValueError` where these have no form."""
        before = self._shaping
        numbers = {**_renumbered(self.input, arguments), **before.numbers}
        return replace(
            self,
            arguments=canonical(arguments),
            input=arguments,
            veiled=None,
            shaping=replace(before, changes=before.changes + 1, numbers=numbers),
        )

    def resolved(self, addresses: Mapping[str, str]) -> "Action":
        """The action with what was looked up for it besides."""
        before = self._shaping
        return replace(self, shaping=replace(before, addresses={**before.addresses, **addresses}))

    @property
    def _shaping(self) -> Shaping:
        return self.shaping or Shaping(digest(self.recorded))

    @property
    def lists(self) -> bool:
        """Whether it asks what there is to read or get."""
        return not self.name and self.kind in {ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT}

    @property
    def size(self) -> int:
        """The bytes an agent brings to the action: its arguments and, in a round, its responses."""
        return len(self.arguments) + (0 if self.within is None else len(self.within.responses))

    def hash(self, pin: str) -> str:
        """`sha256:…` over agent chain, sessions, user, tool with its `pin`, and arguments.

        An approval claims by this value: any other argument byte, session, user, chain or tool
        definition is another action, and so is every round of it, every other response in one, and the same response
        to another question.
        INVARIANT(approval-binds-exact-action)
        """
        return bound_hash(
            self.kind.value,
            (self.server, self.name, pin),
            self.authority.user,
            [(link.agent, link.sid) for link in self.authority.links],
            self.recorded,
            None if self.within is None else self.within.bound,
        )


def _renumbered(before: Mapping[str, Json], after: Mapping[str, Json]) -> Mapping[str, Json]:
    """What `before` has where `after` has another number."""
    return {
        name: before.get(name)
        for name, value in after.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and before.get(name) != value
    }


def input_of(kind: ActionKind, name: str, arguments: Mapping[str, Json]) -> Mapping[str, Json]:
    """The input of an action on `name`, from its recorded `arguments`: what policy judges, and where values came from.

    Of a resource it is the `uri`, of a prompt the `name`, besides the texts that go along as `arguments`: those of the
    prompt, or what completes one and what is known already. To list brings nothing.
    """
    if kind not in _NAMING:
        return arguments
    if not name:
        return {}
    texts = _completing(arguments)
    if texts is None and kind is ActionKind.GET_PROMPT:
        texts = arguments
    return {_NAMING[kind]: name, "arguments": texts} if texts else {_NAMING[kind]: name}


def _completing(params: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The arguments in the params of `completion/complete`, None in those of anything else: all theirs are texts."""
    if not isinstance(params.get("ref"), Mapping):
        return None
    argument, context = _members(params.get("argument")), _members(params.get("context")).get("arguments")
    name = argument.get("name")
    return {**_members(context), name: argument.get("value")} if isinstance(name, str) else _members(context)


def _members(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


_NAMING: Final[Mapping[ActionKind, str]] = MappingProxyType(
    {ActionKind.READ_RESOURCE: "uri", ActionKind.GET_PROMPT: "name"}
)
"""Of actions whose input is what they name: the member that it is."""


def bound_hash(
    kind: str,
    tool: tuple[str, str, str],
    user: str | None,
    links: Sequence[tuple[str, str]],
    arguments: bytes,
    round_: tuple[int, *tuple[str, ...]] | None,
) -> str:
    """`Action.hash` from its parts: `tool` is server, name and pin; `links` are (agent, sid).

    `round_` is the number of a round and the SHA-256 of its responses and its questions, in hex. Records written
    before questions were bound lack theirs.
    """
    server, name, pin = map(quoted, tool)
    chain = ",".join([f"[{quoted(agent)},{quoted(sid)}]" for agent, sid in links])
    within = "" if round_ is None else f'"round":[{",".join((f"{round_[0]:d}", *map(quoted, round_[1:])))}],'
    # The canonical form of an object with these members, written out: this is made for every action.
    bound = (
        f'{{"arguments":"{hashlib.sha256(arguments).hexdigest()}","kind":{quoted(kind)},"links":[{chain}],"name":{name},'
        f'"pin":{pin},{within}"server":{server},"user":{"null" if user is None else quoted(user)}}}'
    )
    return "sha256:" + hashlib.sha256(bound.encode("utf-8")).hexdigest()
