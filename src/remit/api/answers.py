"""What the API answers: one model per shape of `docs/reference/api.md`."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Answer(BaseModel):
    """A response body."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class ResourceAnswer(Answer):
    """One resource of the running bundle: its name, its place, and the resource itself."""

    name: str
    where: str | None
    api_version: str = Field(alias="apiVersion")
    kind: str
    metadata: dict[str, JsonValue]
    spec: dict[str, JsonValue]
    status: dict[str, JsonValue]


class ResourcesAnswer(Answer):
    """Resources in order of names."""

    items: list[ResourceAnswer]


class ChangeAnswer(Answer):
    """One difference between bundle and workspace."""

    op: str
    kind: str
    name: str
    text: str
    lines: list[str]


class SuggestedEntry(Answer):
    """A catalog entry that a person might write: `spec` as YAML spells it, `because` by dotted path in it."""

    spec: dict[str, JsonValue]
    because: dict[str, str]


class SuggestionChangeAnswer(Answer):
    """What drift changes of what is proposed for a tool, and what its entry says there; null is nothing."""

    path: str
    before: JsonValue
    after: JsonValue
    entry: JsonValue
    because: str
    text: str


class ToolAnswer(Answer):
    """One tool against the lock."""

    tool: str
    exposed: str
    state: str
    pin: str | None
    live_pin: str | None
    effect: str
    sink: str
    source: list[str]
    catalogued: bool
    difference: list[str]
    untypable: str | None
    live: dict[str, JsonValue] | None
    suggested: SuggestedEntry | None
    suggestion_changes: list[SuggestionChangeAnswer] | None


class ToolsAnswer(Answer):
    """Tools by name; `unreachable` says why a server's live list is not known."""

    items: list[ToolAnswer]
    unreachable: dict[str, str]


class AppliedAnswer(Answer):
    """What an apply did or would do."""

    applied: bool
    bundle: str
    changes: list[ChangeAnswer]
    warnings: list[str]
    tools: list[ToolAnswer]


class AcceptAnswer(Answer):
    """The pin to pass and what it changes; or what was accepted, and the bundle since.

    `uncatalogued` are those of `accepted` that count as the worst, for the catalog has no entry of theirs.
    """

    accepted: list[str]
    pin: str
    items: list[ToolAnswer]
    bundle: str
    waits: str | None = None
    uncatalogued: list[str] = []


class TokenAnswer(Answer):
    """A token, told this once."""

    token: str
    kind: str
    name: str
    user: str | None
    sid: str | None
    jti: str
    expires: str


class RevokedAnswer(Answer):
    """The token id that is refused from now on."""

    jti: str
    expires: str


class RotatedAnswer(Answer):
    """The key that signs from now on."""

    kid: str


class OpenedAnswer(Answer):
    """A session that a harness opened, with the bearer to act in it."""

    sid: str
    token: str
    jti: str
    agent: str
    user: str | None
    expires: str


class ConfidenceAnswer(Answer):
    """Who said how sure an agent is, and where that is recorded."""

    sid: str
    source: str
    value: float
    record: str


class WordsAnswer(Answer):
    """Where the user's words are recorded."""

    sid: str
    record: str


class RecordAnswer(Answer):
    """One record on one line."""

    id: str
    kind: str
    at: str
    text: str


class SessionAnswer(Answer):
    """One session."""

    sid: str
    agent: str
    user: str | None
    started: str
    ended: str | None
    labels: list[str]
    calls: int
    irreversible_calls: int


class SessionShownAnswer(SessionAnswer):
    """One session by itself: how many tokens its index of origins holds, and how many characters of words ground.

    `records` are its last ones, oldest first.
    """

    index_tokens: int
    words_chars: int
    records: list[RecordAnswer]


class SessionsAnswer(Answer):
    """Sessions, newest first: those that act for the user `of`, or (null) for anybody."""

    items: list[SessionAnswer]
    of: str | None


class LedgerEntryAnswer(Answer):
    """One record of the ledger."""

    id: str
    kind: str
    at: str
    bundle: str
    sid: str
    prev: str
    commitment: str
    hash: str
    text: str
    body: dict[str, JsonValue] | None


class EntriesAnswer(Answer):
    """Records in the ledger's order; `next` is what to pass as `after`."""

    items: list[LedgerEntryAnswer]
    next: str | None


class SearchAnswer(Answer):
    """The last records that were looked for, oldest first; none before the instant `unsearched` was looked at."""

    items: list[LedgerEntryAnswer]
    unsearched: str | None


class InDoubtAnswer(Answer):
    """An intent whose effect may or may not have been; `outcome` is how it ended, `none` where it did not."""

    id: str
    sid: str
    at: str
    outcome: str


class InDoubtsAnswer(Answer):
    """Intents in doubt, oldest first; `next` is where the following page begins."""

    items: list[InDoubtAnswer]
    next: str | None


class SettledAnswer(Answer):
    """What a person said of an intent that was in doubt, and the record of it."""

    id: str
    happened: bool
    record: str


class IndexErasedAnswer(Answer):
    """Which session's index lost its key, and the record of it."""

    sid: str
    record: str


class CheckpointAnswer(Answer):
    """What the ledger comes to: `checkpoint` is the signed note (C2SP `tlog-checkpoint`)."""

    origin: str
    size: int
    root: str
    checkpoint: str


class ContinuationAnswer(Answer):
    """That the tree of `checkpoint` goes on from its first `since` leaves; `path` is base64."""

    since: int
    path: list[str]
    checkpoint: str


class ProofAnswer(Answer):
    """That the record `id` is leaf `index` (C2SP `tlog-proof`)."""

    id: str
    index: int
    proof: str


class ErasedAnswer(Answer):
    """What was erased, by which records; `cleared`: no trace of the bytes is left in the log."""

    records: list[str]
    erased: list[str]
    cleared: bool


class LogKeyAnswer(Answer):
    """A verifier key of the log."""

    id: str
    key: str


class DoctorCheckAnswer(Answer):
    """One line of the doctor."""

    name: str
    ok: bool
    state: str
    text: str
    next: str | None


class DoctorAnswer(Answer):
    """Every check of the installation."""

    ok: bool
    checks: list[DoctorCheckAnswer]


class ProblemAnswer(Answer):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    why: str
    next: str
    problems: list[str] = []
    cause: str | None = None


class LoginAnswer(Answer):
    """A login that was begun: `url` is for the person's browser, at the authorization server `issuer`."""

    server: str
    url: str
    issuer: str
    expires: str


class CredentialAnswer(Answer):
    """How a server's credential stands; `usable`: whether a call would be sent, as far as is known."""

    server: str
    state: str
    usable: bool
    until: str | None
    issuer: str | None
    scopes: list[str]
    why: str | None
