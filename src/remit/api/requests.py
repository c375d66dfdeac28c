"""What requests may say: pydantic at the edge, nothing coerced, nothing unknown let through."""

from typing import Annotated, Final, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from remit.control.authority import DEPTH_MAX, TOKEN_CHARS_MAX, TTL_MAX_S
from remit.escalate.refusals import Refusal
from remit.facts.admission import Check

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$")]
ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,24}$")]
OfferName = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
"""A tool, a prompt or the URI of a resource."""
ToolName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
BundleName = Annotated[str, StringConstraints(pattern=r"^(sha256:)?[0-9a-f]{6,64}$")]
"""A digest, or how it begins."""
Pin = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Sid = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{32}|d-[0-9a-f]{30})$")]
RefText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,16}-[1-9][0-9]{0,8}\.[1-9][0-9]{0,14}$")]
Ttl = Annotated[int, Field(ge=1, le=TTL_MAX_S)]
SubjectText = Annotated[str, StringConstraints(min_length=3, max_length=200)]
"""A name in the inventory."""
Preset = Annotated[Refusal, Field(strict=False)]
"""A preset reason, by its word."""
Note = Annotated[str, StringConstraints(max_length=2000)]

LookIdent = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}$")]
LookPath = Annotated[LookIdent, Path()]
AgentPath = Annotated[Name, Path()]
SidPath = Annotated[Sid, Path()]
RefPath = Annotated[RefText, Path()]
ServerPath = Annotated[ServerName, Path()]
KindPath = Annotated[
    Literal[
        "agent", "agents", "user", "users", "group", "groups", "server", "servers", "tool",
        "tools", "policy", "policies", "route", "routes",
        "channel", "channels", "source", "sources", "budget", "budgets",
        "breaker", "breakers",
        "monitor", "monitors", "guarantee", "guarantees", "admission", "admissions",
    ],
    Path(),
]  # fmt: skip
NamePath = Annotated[str, Path(min_length=1, max_length=200)]
LIMIT_MAX: Final = 1000
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


class Strict(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Empty(Strict):
    """`{}`."""


class ApplyRequest(Strict):
    """Take the workspace folder; `dry_run` only compares and validates. `admission` is a look that admits it."""

    dry_run: bool = False
    admission: LookIdent | None = None


class OverrideRequest(Strict):
    """Let through what `checks` of a look refused."""

    checks: Annotated[list[Annotated[Check, Field(strict=False)]], Field(min_length=1, max_length=5)]
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class AcceptRequest(Strict):
    """Accept the live definition of one tool, or of a whole server."""

    server: ServerName
    tool: ToolName | None = None
    pin: Pin | None = None


class RegisterRequest(Strict):
    """Declare an agent. `observe` only where a person says so; `found` is what of the inventory it is."""

    owner: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    purpose: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    groups: Annotated[list[Name], Field(max_length=100)] = Field(default_factory=list)
    mode: Literal["enforce", "observe"] = "enforce"
    found: SubjectText | None = None


class EraseRequest(Strict):
    """Erase the bodies of these records."""

    ids: Annotated[list[RefText], Field(min_length=1, max_length=10_000)]
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class SettleRequest(Strict):
    """What became of an intent that is in doubt, as a person found out, and how."""

    id: RefText
    happened: bool
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class TokenRequest(Strict):
    """Mint a token. `user` and `sid` belong to `agent` tokens."""

    kind: Literal["agent", "user", "harness"]
    name: Name
    user: Name | None = None
    ttl_s: Ttl | None = None
    sid: Sid | None = None


class RevokeRequest(Strict):
    """Revoke by the token itself, or by its id."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=TOKEN_CHARS_MAX)]


class SessionRequest(Strict):
    """Open a session of the harness's own agent."""

    user: Name | None = None
    ttl_s: Ttl | None = None


class WordsRequest(Strict):
    """What the user said."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=64 * 1024)]


class BoundRequest(Strict):
    """Have a budget begin anew, or close a breaker: for all, or for `whose`."""

    whose: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = None
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class SignOffRequest(Strict):
    """What breaks a guarantee, as `apply` names it, and why it may run."""

    breach: Pin
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class StopRequest(Strict):
    """What is meant: its kind and name; a tool's is `SERVER/TOOL`, a resource's `SERVER/URI`, everything has none."""

    kind: Literal["agent", "group", "user", "session", "server", "tool", "resource", "everything"]
    name: Annotated[str, StringConstraints(max_length=4_200)] = ""


class HaltRequest(StopRequest):
    """Stop it from all, or quarantine it from `acting` or `reading`, because of `why`; a `drill` stops nothing."""

    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    holds: Literal["all", "acting", "reading"] = "all"
    drill: bool = False


class ApproveRequest(Strict):
    """A yes, with what the person wants to say about it.

    `shown` is the `nonce` of what he saw, which has to be given once somebody approved other arguments; `arguments`
    are those that shall run in place of the ones that were asked for.
    """

    note: Note | None = None
    shown: Annotated[str, StringConstraints(max_length=64)] | None = None
    arguments: dict[str, JsonValue] | None = None


class InviteRequest(Strict):
    """Who may register a passkey."""

    user: Name


class PasskeyRequest(Strict):
    """Which passkey ends, and why."""

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class DenyRequest(Strict):
    """A no, with a preset reason, which the agent is told, and a note, which it is not."""

    note: Note | None = None
    reason: Preset | None = None


class DelegateRequest(Strict):
    """`to` decides in the person's place for the next `for_s` seconds."""

    to: Name
    for_s: Annotated[int, Field(ge=1, le=30 * 86_400)]
    note: Note | None = None


class StopSessionRequest(Strict):
    """Stop the session that asked; the agent is told the preset reason."""

    reason: Preset = Refusal.SUSPICIOUS
    note: Note | None = None


class GlassRequest(Strict):
    """Why the glass is broken; `shown` is the `nonce` of what he saw, as of a yes."""

    why: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    shown: Annotated[str, StringConstraints(max_length=64)] | None = None


class VoteRequest(Strict):
    """What a person wants to say about it."""

    note: Note | None = None


class ConstraintRequest(Strict):
    """An argument that is held to a value, or to numbers up to one."""

    name: OfferName
    bound: Literal["=", "<="] = "="
    value: JsonValue


class GrantRequest(VoteRequest):
    """What is granted with a yes; `for_s` seconds, `uses` times; a tool's arguments may be held by `where`.

    `terms` names those that a dry run told, where they have to be the same.
    """

    scope: Literal["session", "tool"]
    for_s: Annotated[float, Field(gt=0, le=10**8)] | None = None
    uses: Annotated[int, Field(ge=1, le=10**6)] | None = None
    where: Annotated[list[ConstraintRequest], Field(max_length=20)] = Field(default_factory=list)
    dry_run: bool = False
    terms: Pin | None = None


class ConfidenceRequest(Strict):
    """How sure an agent is, from 0 to 1, with four decimal places at most."""

    value: Annotated[float, Field(ge=0, le=1)]


class CanRequest(Strict):
    """Would this action be permitted? `tool` names a prompt or a resource where `kind` says so."""

    agent: Name
    user: Name | None = None
    server: ServerName
    tool: OfferName
    kind: Literal["call_tool", "read_resource", "get_prompt"] = "call_tool"
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    sid: Sid | None = None
    chain: Annotated[list[Name], Field(max_length=DEPTH_MAX - 1)] = Field(default_factory=list)
