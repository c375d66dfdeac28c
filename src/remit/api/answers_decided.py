"""What the API answers about decisions: approvals and verdicts."""

from pydantic import Field, JsonValue

from remit.api.answers import Answer
from remit.api.answers_grants import GrantAnswer


class GateAnswer(Answer):
    """A gate, and why the policy stands."""

    policy: str
    route: str
    reason: str | None = None


class SeatAnswer(Answer):
    """How one route stands: who said yes, whose yes may count beside (null in lists, and once nobody is asked).

    `short` is how many people it lacks even where all of these say yes.
    """

    route: str
    count: int
    by: list[str]
    eligible: list[str] | None = None
    short: int = 0


class VoteAnswer(Answer):
    """A yes."""

    by: str
    at: str
    routes: list[str]
    note: str | None


class SpanAnswer(Answer):
    """A piece of text; `mark` says what an agent chose (`given`, or the origin's word), nothing what is Remit's own."""

    text: str
    mark: str


class LineAnswer(Answer):
    """What is said under one label; `gate`: a gate is about it."""

    label: str
    text: list[SpanAnswer]
    note: str
    gate: bool


class StopAnswer(Answer):
    """Why it stopped, with the lines of the policy."""

    policy: str
    route: str
    text: str
    where: str | None
    lines: list[str]


class SaferAnswer(Answer):
    """Another call that policy permits without asking anybody."""

    change: str
    tool: str
    arguments: str


class RemarkAnswer(Answer):
    """What `by` wrote beside what he `did`, for other people."""

    by: str
    did: str
    text: str


class PreviewAnswer(Answer):
    """What the tool `by` says that would happen, in its own words; `why` it says nothing, or that it failed."""

    by: str
    lines: list[str]
    labels: list[str]
    why: str


class BriefAnswer(Answer):
    """What a person who decides is told, in the order in which it is shown."""

    what: list[SpanAnswer]
    shows: list[LineAnswer]
    preview: PreviewAnswer | None
    stops: list[StopAnswer]
    chain: list[LineAnswer]
    values: list[LineAnswer]
    unlisted: int
    impact: list[LineAnswer]
    precedent: str
    safer: list[SaferAnswer]
    reason: list[SpanAnswer]
    remarks: list[RemarkAnswer]
    expires: str
    zero: str
    careful: bool
    whole: bool


class EditAnswer(Answer):
    """Other arguments than were asked for, and who approved them; the arguments for those who decide."""

    by: str
    at: str
    action: str
    id: str
    arguments: JsonValue


class DelegationAnswer(Answer):
    """Until `until`, `to` decides in the place of `by`."""

    by: str
    to: str
    until: str


class GlassAnswer(Answer):
    """One person lifted every gate alone."""

    by: str
    at: str
    why: str
    reviewed_by: str | None


class ApprovalAnswer(Answer):
    """One approval. `brief` is for those who may read the arguments, where one approval is shown by itself.

    In lists `what` says to them on one line what is asked. `by_passkey`: the caller's yes counts only where he confirms
    it with a passkey. `grants` are those that were given with it, where one approval is shown by itself. `withdrawn` is
    why nobody is asked any more, not in lists.
    """

    id: str
    state: str
    action: str
    sid: str
    agent: str
    user: str | None
    tool: str
    gates: list[GateAnswer]
    seats: list[SeatAnswer]
    votes: list[VoteAnswer]
    nonce: str
    approved: str
    edit: EditAnswer | None
    delegations: list[DelegationAnswer]
    glass: GlassAnswer | None
    reason: str | None
    note: str | None
    superseded_by: str | None
    may_edit: bool
    refused_by: str | None
    claimed_by: str | None
    opened: str
    expires: str
    missing: list[str]
    void: str | None
    may_approve: bool
    arguments: JsonValue
    brief: BriefAnswer | None = None
    what: str | None = None
    by_passkey: bool = False
    grants: list[GrantAnswer] = Field(default_factory=list)
    withdrawn: str | None = None


class FiguresAnswer(Answer):
    """How one person decided for one route; `approved`, `hasty` and `edited` count among `asks`."""

    person: str
    route: str
    asks: int
    approved: int
    median_ms: int
    hasty: int
    edited: int


class ProposalAnswer(Answer):
    """A rule that would have spared `spared` of `asks`, all approved unedited: `cedar`, at the end of `policies`."""

    agent: str
    tool: str
    policies: list[str]
    asks: int
    spared: int
    held: list[str]
    cedar: str


class AttentionAnswer(Answer):
    """How attentively people decided since then, and the habits that could be rules."""

    since: str
    hasty_ms: int
    people: list[FiguresAnswer]
    same_min: int
    proposals: list[ProposalAnswer]


class ApprovalsAnswer(Answer):
    """Approvals: newest first; of those that are open, what presses most first, and how many `more` are."""

    items: list[ApprovalAnswer]
    more: int = 0


class ReasonAnswer(Answer):
    """Why a verdict is what it is.

    `does` is what this does to the action: `permits`, `forbids`, `asks` (a gate, or a budget that has people asked),
    `lifts` (people, of a gate), `denies` (no policy's doing); null where the policy is no longer at hand to say.
    """

    code: str
    does: str | None
    text: str
    policy: str | None
    where: str | None
    agent: str | None


class CanAnswer(Answer):
    """What `decide` would say."""

    verdict: str
    observed: str | None
    reasons: list[ReasonAnswer]
    gates: list[GateAnswer]
    obligations: list[str]
    hint: str | None
