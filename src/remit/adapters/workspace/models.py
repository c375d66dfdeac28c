"""The shape of each kind of resource, as pydantic reads it and editors check it.

Only shapes: whether names exist and numbers make sense is `control.assemble`'s. Import lazily:
pydantic takes about a tenth of a second.
"""

from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, StrictBool, StrictStr, Tag, model_validator

from remit.adapters.workspace.admission_models import AdmissionShape
from remit.adapters.workspace.base_shape import Name, Names, Paths, Shape, Text, Word
from remit.adapters.workspace.past_models import GuaranteeShape, MonitorShape
from remit.control.resources import ResourceKind

PLAIN: Final = "[plain]"
REFERENCE: Final = "[reference]"
"""What pydantic puts into the path of a problem to say which form was read; no part of a YAML path."""


class MetadataShape(Shape):
    """What names a resource; labels and annotations are for people and tools of theirs."""

    name: Name = Field(description="Unique among resources of its kind; of a Tool: SERVER/TOOL.")
    labels: dict[Name, Text] = Field(default={}, max_length=100)
    annotations: dict[Name, Word] = Field(default={}, max_length=100)


class AgentShape(Shape):
    """A program that chooses actions."""

    owner: Text = Field(description="Who answers for it.")
    purpose: Text = Field(description="What it is there for, in one sentence.")
    groups: Names = Field(default=[], description="Groups it belongs to, besides everyone.")
    harness: Literal["trusted", "untrusted"] = Field(
        default="untrusted",
        description="Whether the program around the model may state the user's words.",
    )
    mode: Literal["enforce", "observe"] = Field(
        default="enforce",
        description="observe overrides policy verdicts, and records what would have been.",
    )


class UserShape(Shape):
    """A human for whom agents act, or who decides."""

    groups: Names = Field(default=[], description="Groups he belongs to, besides everyone.")
    person: Name | None = Field(default=None, description="The User he is as well, where one human has several names.")


class GroupShape(Shape):
    """Agents and users that policies and routes name together."""

    description: Text = ""
    groups: Names = Field(default=[], description="Parents: members are members of those too.")


class SecretShape(Shape):
    """A value by reference: exactly one of env, file and command."""

    env: Name | None = Field(default=None, description="An environment variable of the service.")
    file: Word | None = Field(default=None, description="Absolute path of a file.")
    command: Annotated[list[Word], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Program and arguments that print the value; no shell."
    )
    prefix: Text = Field(default="", description='What stands before the value, such as "Bearer ".')

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(given is not None for given in (self.env, self.file, self.command)) != 1:
            raise ValueError("a secret is given by exactly one of env, file and command")
        return self


class OAuthShape(Shape):
    """How Remit logs in at the server."""

    grant: Literal["authorization_code", "client_credentials"] = Field(
        description="authorization_code: a person logs in once. client_credentials: the service for itself."
    )
    issuer: Word | None = Field(default=None, description="The authorization server. Left out: the server names it.")
    client_id: Word | None = Field(default=None, description="Left out: a metadata document, or registration.")
    client_secret: SecretShape | None = Field(default=None, description="By reference; needs issuer and client_id.")
    scopes: Names = Field(default=[], description="What to ask for. Left out: what the server asks for.")


def _form_of(value: object) -> str:
    return REFERENCE if isinstance(value, dict | SecretShape) else PLAIN


PlainOrSecret: TypeAlias = Annotated[
    Annotated[Word, Tag(PLAIN)] | Annotated[SecretShape, Tag(REFERENCE)], Discriminator(_form_of)
]


class ServerShape(Shape):
    """A tool server: a command (stdio) or a url (streamable HTTP)."""

    command: Annotated[list[Word], Field(min_length=1, max_length=1_000)] | None = Field(
        default=None, description="Program and arguments of a stdio server; no shell."
    )
    env: dict[Name, PlainOrSecret] = Field(
        default={}, max_length=1_000, description="The only variables it gets besides a PATH; values or references."
    )
    cwd: Word | None = Field(default=None, description="Its working folder.")
    url: Word | None = Field(default=None, description="Address of a streamable HTTP server.")
    headers: dict[Name, SecretShape] = Field(
        default={}, max_length=32, description="Headers that every request to the url carries, by reference."
    )
    oauth: OAuthShape | None = Field(default=None, description="A login at the url by OAuth 2.1.")
    private: StrictBool = Field(default=False, description="The url's public name may lead to private addresses.")
    shared: StrictBool = Field(default=False, description="One child for all sessions, one call in flight.")
    verify_s: float = Field(default=1.0, description="How old the last comparison with the lock may be; 0: none.")
    call_s: float = Field(default=60.0, description="How long one call may take, in seconds.")
    source: Names | None = Field(
        default=None, description="Labels that its resources, prompts and texts bring. Left out: untrusted. []: none."
    )
    detect: list[Literal["hidden", "secret", "pii", "email"]] = Field(
        default=[], max_length=8, description="What is looked for in all that it says; a find adds its label."
    )
    detect_sent: list[Literal["hidden", "secret", "pii", "email"]] = Field(
        default=[], max_length=8, description="What is looked for in what is sent to it; policies read context.sends."
    )
    sink: Literal["none", "internal", "external"] | None = Field(
        default=None,
        description="Where what is asked of its resources and prompts goes. Left out: external.",
    )


class ArgumentShape(Shape):
    """What is known of one argument of a tool."""

    secret: StrictBool = Field(default=False, description="Recorded as a keyed hash alone, never as it is.")
    role: Literal["target", "content", "credential", "key"] | None = Field(
        default=None, description="What it is for. Left out: a target where the tool has an effect."
    )
    shows: Literal["recipients", "rows", "files", "before", "after"] | None = Field(
        default=None, description="What people who decide are shown it as."
    )


class PartShape(Shape):
    """A part of a tool's results, with all beneath it."""

    path: Name = Field(description="$, $.name, $[*], $[*].name, $.*, $['odd name'] and the like.")
    label: Name = Field(description="A label, or trusted.")
    identity: StrictBool = Field(default=False, description="It names the record that it stands in.")
    directory: StrictBool = Field(default=False, description="The organisation knows what it names.")


class StoreShape(Shape):
    """Where a tool keeps what it is told, and which arguments are the keys in it."""

    key: Word | None = Field(default=None, description="Argument that holds the key. Left out: the whole store.")
    keys: Names = Field(default=[], description="Arguments that hold keys, where it is more than one.")
    name: Word | None = Field(default=None, description="Shared by all tools that say it. Left out: the server's.")
    access: Literal["read", "write", "both"] | None = Field(
        default=None, description="Left out: read for a tool whose effect is read, else both."
    )


class IdempotentShape(Shape):
    """How a tool knows that it was asked before: one of the two."""

    argument: Word | None = Field(default=None, description="An argument in which the agent gives each request a key.")
    meta: Word | None = Field(default=None, description="A member of _meta in which Remit does: shop.example/key.")


class PreviewShape(Shape):
    """How a tool says what a call would do: by another tool, or by one of its arguments."""

    tool: Word | None = Field(default=None, description="Another tool of its server, which reads only.")
    arguments: dict[Name, Name] | None = Field(
        default=None, max_length=1_000, description="Its arguments: which one of the call each is. Left out: the same."
    )
    argument: Word | None = Field(default=None, description="An argument with which the tool does not act.")
    value: StrictBool | Word = Field(default=True, description="What that argument is then.")


class ExtractorShape(Shape):
    """Where in a tool's arguments a measure of its impact stands, and how it is counted."""

    path: Name = Field(description="$.name, $.name[*].part and the like, in the arguments.")
    counts: Literal["number", "values", "people"] | None = Field(
        default=None, description="Left out: number for amount, people for recipients, else values."
    )


class ToolShape(Shape):
    """What is known of an accepted tool. What is left out counts as the worst case."""

    effect: Literal["read", "write", "irreversible"] | None = Field(
        default=None, description="What it does to the world. Left out: irreversible."
    )
    sink: Literal["none", "internal", "external"] | None = Field(
        default=None, description="Where its arguments go. Left out: external."
    )
    source: Names | None = Field(default=None, description="Labels its results bring. Left out: untrusted. []: none.")
    tags: Names = Field(default=[], description="Words of your own for policies: tag:WORD.")
    arguments: dict[Name, ArgumentShape] = Field(
        default={}, max_length=1_000, description="What is known of its arguments, by name."
    )
    asks: Annotated[list[Name], Field(max_length=100)] = Field(
        default=[], description="Words by which a user asks for it, in lower case."
    )
    results: Annotated[list[PartShape], Field(max_length=100)] = Field(
        default=[], description="Parts of its results that bring other labels than source says."
    )
    format: Literal["json", "yaml"] = Field(default="json", description="How the text of its results is read.")
    description: Text = ""
    brief: Annotated[str, Field(max_length=300)] = Field(
        default="", description="What a call does, for who decides: pay {amount} to {account}; {to.count} counts."
    )
    store: StoreShape | None = Field(default=None, description="Where it keeps what it is told: labels follow.")
    impact: dict[Literal["amount", "records", "recipients"], ExtractorShape] = Field(
        default={}, description="How much a call moves, for limits."
    )
    idempotent: IdempotentShape | None = Field(
        default=None,
        description="How it knows that it was asked before: an approved call is tried again after a crash.",
    )
    preview: PreviewShape | None = Field(default=None, description="A dry run, shown to who decides.")


class PolicyShape(Shape):
    """Cedar policies inside YAML; `.cedar` files do as well."""

    cedar: Annotated[str, Field(min_length=1, max_length=1_048_576)] = Field(
        description="One or more policies, each with its @id."
    )


class RouteShape(Shape):
    """Who decides a gate, how many of them, and how long it waits."""

    groups: Names = Field(default=[])
    users: Names = Field(default=[])
    count: int = Field(default=1, description="How many people must approve.")
    hold_s: float = Field(default=30.0, description="How long the caller is kept waiting.")
    expires_s: float = Field(default=3600.0, description="How long the approval stays open.")
    requester_may_approve: StrictBool = False
    shared: StrictBool = Field(default=False, description="One person may count here and for another route as well.")
    distinct_groups: StrictBool = Field(default=False, description="Each of the count sits for another of the groups.")
    next: Name | None = Field(default=None, description="Route whose people may decide as well after next_after_s.")
    next_after_s: float = Field(default=900.0, description="How long its own people have before next is asked.")
    channels: Annotated[list[Name], Field(max_length=16)] = Field(
        default=[], description="Names of where people are told that something waits."
    )
    edits: StrictBool = Field(default=False, description="Whether other arguments than were asked for may be approved.")
    strong: StrictBool = Field(default=False, description="A yes has to be confirmed beyond a token.")
    break_glass: Names = Field(default=[], description="Groups whose members may lift the gate alone in an emergency.")


class ChannelShape(Shape):
    """Where people are told that something waits: a receiver of signed webhooks (standardwebhooks.com)."""

    url: Word = Field(description="Address that is posted to; https, or http on this machine.")
    secret: SecretShape = Field(
        description="What it is signed with, by reference: whsec_ and at least 24 bytes in base 64."
    )
    about: list[Literal["drift", "incidents", "halts"]] = Field(
        default=[],
        description="What it hears of beside approvals: drift that is not only recorded, incidents, halts.",
    )


class SourceShape(Shape):
    """What the service looks at for agents, again and again; what it finds is in the inventory."""

    watches: Literal["host", "repository", "file"] = Field(description="What it looks at.")
    path: Word | None = Field(default=None, description="Of a repository or file: where it is, from the root.")
    homes: Paths = Field(default=[], description="Of a host: home folders; none: that of whoever runs the service.")
    projects: Paths = Field(default=[], description="Of a host: folders with configuration of their own.")
    processes: StrictBool = Field(default=True, description="Of a host: whether running processes are looked at.")
    every_s: float = Field(default=600.0, description="Seconds between two looks, 10 to 86,400.")


class BudgetShape(Shape):
    """How much may be spent within a window; never overspent."""

    measure: Literal["calls", "irreversible", "amount", "tokens", "records"] = Field(
        description="What is counted: calls, irreversible ones, money, tokens, records touched."
    )
    per: Literal["agent", "group", "user", "tool", "fleet"] = Field(description="Whose spending adds up.")
    of: Name | None = Field(default=None, description="The one that it is about. Left out: each has his own account.")
    hard: float = Field(description="What may be spent within a window: what would take more is denied.")
    soft: float | None = Field(default=None, description="Beyond it the people of route decide.")
    route: Name | None = Field(default=None, description="The Route that decides beyond soft.")
    window_s: int = Field(description="How long a window is; it begins at a multiple of that since 1970, UTC.")
    tools: Names = Field(default=[], description="SERVER/TOOL, or SERVER for all of its. Left out: all.")
    each: int | None = Field(default=None, description="How many tokens one result may take. Left out: 25,000.")


class BreakerShape(Shape):
    """What of an agent, server or tool is too much, and for how long it then rests."""

    on: Literal["errors", "slow", "denials", "identical", "depth", "cycles", "fan-out", "cascade"] = Field(
        description="What trips it."
    )
    over: Literal["agent", "server", "tool"] = Field(description="What rests once it has tripped.")
    of: Name | None = Field(default=None, description="The one that it is over. Left out: each has one of its own.")
    limit: int = Field(description="From how many on it trips; of errors and slow: from which share, in per cent.")
    within_s: float = Field(default=60.0, description="Within how many seconds.")
    open_s: float = Field(default=30.0, description="How long nothing passes before a trial does.")
    trials: int = Field(default=1, description="How many calls have to go well before it closes.")
    of_least: int = Field(default=10, description="Of errors and slow: of how many calls at least.")
    slow_ms: float = Field(default=10_000.0, description="Of slow: longer than which a call is slow.")


SPECS: Final[dict[ResourceKind, type[Shape]]] = {
    ResourceKind.AGENT: AgentShape,
    ResourceKind.USER: UserShape,
    ResourceKind.GROUP: GroupShape,
    ResourceKind.SERVER: ServerShape,
    ResourceKind.TOOL: ToolShape,
    ResourceKind.POLICY: PolicyShape,
    ResourceKind.ROUTE: RouteShape,
    ResourceKind.CHANNEL: ChannelShape,
    ResourceKind.SOURCE: SourceShape,
    ResourceKind.BUDGET: BudgetShape,
    ResourceKind.BREAKER: BreakerShape,
    ResourceKind.MONITOR: MonitorShape,
    ResourceKind.GUARANTEE: GuaranteeShape,
    ResourceKind.ADMISSION: AdmissionShape,
}


class Envelope(Shape):
    """A resource around its spec; `status` is ours to write and ignored when read."""

    apiVersion: Literal["remit.dev/v1alpha1"]  # noqa: N815
    kind: StrictStr
    metadata: MetadataShape
    spec: Any = None
    status: Any = None
