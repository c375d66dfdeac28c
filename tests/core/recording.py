"""Bodies and histories for the tests of the ledger: what was recorded, in what order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from hypothesis import strategies as st

from remit.facts.canonical import Json, canonical
from remit.facts.passkey import Confirmed
from remit.facts.record import Record, RecordKind, Ref
from remit.policy.verdict import Code, Gate, Reason
from remit.trace.bodies import ActionBody, AdminBody, Body, Choice, DecisionBody, Event, OutcomeBody, Status, StoreWrite
from remit.trace.chain import commitment, genesis, record_hash
from remit.trace.encoding import encode_body, encode_record
from remit.trace.links import LedgerRow

BUNDLE = "sha256:" + "b" * 64
SALT = b"0123456789abcdef"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MAYBE = st.none() | TEXT
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS: st.SearchStrategy[dict[str, Json]] = st.dictionaries(TEXT, JSON, max_size=3)
ARGUMENTS = st.just(b"") | JSON.map(canonical)
GATES = st.builds(Gate, TEXT, TEXT, TEXT)
REASONS = st.builds(Reason, st.sampled_from(Code), TEXT, MAYBE, MAYBE, MAYBE)
STORED = st.builds(StoreWrite, TEXTS, TEXTS)
ACTIONS = st.builds(
    ActionBody,
    action=TEXT,
    kind=TEXT,
    server=TEXT,
    name=TEXT,
    pin=TEXT,
    user=MAYBE,
    links=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    token=TEXT,
    verdict=TEXT,
    observed=MAYBE,
    reasons=st.lists(REASONS, max_size=2).map(tuple),
    gates=st.lists(GATES, max_size=2).map(tuple),
    obligations=TEXTS,
    approval=MAYBE,
    expires_ms=st.none() | INTEGERS,
    irreversible=st.booleans(),
    labels=TEXTS,
    source=TEXTS,
    context=OBJECTS,
    trace=st.none() | TEXT,
    stored=st.none() | STORED,
    grants=st.just(()) | st.tuples(TEXT),
    nonce=MAYBE,
    reaches=st.just(()) | st.tuples(TEXT),
    said=MAYBE,
    arguments=ARGUMENTS,
)
OUTCOMES = st.builds(
    OutcomeBody,
    intent=TEXT,
    status=st.sampled_from(Status),
    sids=TEXTS,
    labels=TEXTS,
    approval=MAYBE,
    result=MAYBE,
    result_bytes=INTEGERS,
    elapsed_ms=st.floats(0, 1e9),
    error=MAYBE,
    origins=MAYBE,
)
DECISIONS = st.builds(
    DecisionBody,
    TEXT,
    TEXT,
    TEXT,
    st.sampled_from(Choice),
    TEXTS,
    MAYBE,
    st.booleans(),
    reason=MAYBE,
    edit=MAYBE,
    approved=MAYBE,
    nonce=MAYBE,
    to=MAYBE,
    until_ms=st.none() | INTEGERS,
    grant=st.none() | OBJECTS,
    confirmed=st.none() | st.builds(Confirmed, TEXT, INTEGERS),
)
ADMINS = st.builds(AdminBody, st.sampled_from(Event), TEXT, TEXT, OBJECTS)

ENTRIES: st.SearchStrategy[tuple[RecordKind, Body]] = st.one_of(
    st.tuples(st.sampled_from([RecordKind.PROPOSAL, RecordKind.INTENT]), ACTIONS),
    st.tuples(st.just(RecordKind.OUTCOME), OUTCOMES),
    st.tuples(st.just(RecordKind.DECISION), DECISIONS),
    st.tuples(st.just(RecordKind.ADMIN), ADMINS),
)


@dataclass(frozen=True, slots=True)
class Step:
    """A record to be, made in session `sid`."""

    kind: RecordKind
    sid: str
    body: Body


@dataclass(frozen=True, slots=True)
class Restart:
    """The service ends and starts again: the next epoch."""


History: TypeAlias = Sequence[Step | Restart]


def action(
    verdict: str = "permit",
    *,
    links: Sequence[tuple[str, str]] = (("writer", "s1"),),
    source: Sequence[str] = (),
    approval: str | None = None,
    name: str = "write_file",
    arguments: bytes = b'{"path":"a"}',
    **more: object,
) -> ActionBody:
    """An action as `decide` would record it; its hash stands for its name and arguments."""
    body = ActionBody(
        action=f"sha256:{name}:{arguments.decode()}",
        kind="call_tool",
        server="files",
        name=name,
        pin="sha256:pin",
        user="ana",
        links=tuple(links),
        token="t1",
        verdict=verdict,
        observed=None,
        reasons=(Reason(Code.POLICY, "because", "p1"),),
        gates=(Gate("g1", "leads", "sha256:g1"),) if verdict == "escalate" else (),
        obligations=(),
        approval=approval,
        expires_ms=9_000 if verdict == "escalate" else None,
        irreversible=False,
        labels=(),
        source=tuple(source),
        context={},
        arguments=arguments,
    )
    return replace(body, **more)


def outcome(
    intent: str,
    *,
    sids: Sequence[str] = ("s1",),
    labels: Sequence[str] = (),
    status: Status = Status.OK,
    approval: str | None = None,
    result: str | None = "sha256:result",
) -> OutcomeBody:
    """The end of an intent."""
    return OutcomeBody(intent, status, tuple(sids), tuple(labels), approval, result, 10, 1.5)


def decision(
    approval: str, body: ActionBody, choice: Choice = Choice.APPROVE, *, completes: bool = True
) -> DecisionBody:
    """Bea's yes or no to what `body` asked."""
    return DecisionBody(approval, body.action, "bea", choice, ("leads",), None, completes)


def epoch(chain: str, heads: Sequence[Json] = ()) -> AdminBody:
    """The first record of a chain."""
    return AdminBody(Event.EPOCH, "remit", chain, {"heads": list(heads)})


def stored(chain: str, steps: Sequence[Step], *, heads: Sequence[Json] = ()) -> list[LedgerRow]:
    """`steps` as they would be stored in `chain`, behind its epoch record."""
    prev = genesis(chain)
    rows: list[LedgerRow] = []
    begin = Step(RecordKind.ADMIN, "", epoch(chain, heads))
    for seq, step in enumerate([begin, *steps], start=1):
        body = encode_body(step.body)
        bundle = "" if step.kind is RecordKind.ADMIN else BUNDLE
        record = Record(chain, seq, prev, step.kind, 1_000 + seq, bundle, step.sid, commitment(SALT, body))
        data = encode_record(record)
        digest = record_hash(data)
        prev = digest.hex()
        rows.append(LedgerRow(Ref(chain, seq), data, digest, SALT, body))
    return rows


@st.composite
def histories(draw: st.DrawFn, replica: str) -> History:
    """Up to 24 steps, some of them nonsense, over few sessions, with up to two restarts."""
    sids = st.sampled_from(["s1", "s2", "s3"])
    history: list[Step | Restart] = []
    refs: list[tuple[str, ActionBody]] = []
    at_epoch, seq = 1, 1
    for _ in range(draw(st.integers(1, 24))):
        seq += 1
        ident = f"{replica}-{at_epoch}.{seq}"
        earlier = draw(st.sampled_from(refs)) if refs else ("r9-9.9", action())
        sid = draw(sids)
        match draw(st.integers(0, 11)):
            case 0 | 1 | 2:
                body = draw(_intents(sid))
                refs.append((ident, body))
                history.append(Step(RecordKind.INTENT, sid, body))
            case 3:
                body = replace(earlier[1], approval=earlier[0], nonce=draw(st.sampled_from([None, "0b"])))
                refs.append((ident, body))
                history.append(Step(RecordKind.INTENT, sid, body))
            case 4 | 5:
                body = action(draw(st.sampled_from(["escalate", "deny"])), links=(("writer", sid),))
                refs.append((ident, body))
                history.append(Step(RecordKind.PROPOSAL, sid, body))
            case 6 | 7:
                end = outcome(
                    earlier[0],
                    sids=[link[1] for link in earlier[1].links],
                    labels=earlier[1].source,
                    status=draw(st.sampled_from(Status)),
                    approval=earlier[1].approval,
                )
                end = replace(end, origins=draw(st.sampled_from([None, "AAEC"])))
                history.append(Step(RecordKind.OUTCOME, sid, end))
            case 8:
                choice = draw(st.sampled_from(Choice))
                said = decision(*earlier, choice, completes=draw(st.booleans()))
                edited = replace(said, edit=f"{replica}-1.1", approved="sha256:edited", nonce="0c")
                said = draw(st.sampled_from([said, edited, replace(said, reason="not-now", to="cy", until_ms=9)]))
                history.append(Step(RecordKind.DECISION, "", said))
            case 9 | 10:
                history.append(Step(RecordKind.ADMIN, "", draw(_admin(earlier[0], sid))))
            case _:
                if at_epoch < 3:
                    history.append(Restart())
                    at_epoch += 1
                    seq = 1
                else:
                    seq -= 1
    return history


def _intents(sid: str) -> st.SearchStrategy[ActionBody]:
    return st.builds(
        action,
        links=st.sampled_from([(("writer", sid),), (("lead", "s0"), ("writer", sid))]),
        source=st.sampled_from([(), ("untrusted:web",), ("confidential",)]),
        irreversible=st.booleans(),
        stored=st.none()
        | st.builds(
            StoreWrite,
            st.sampled_from([("files:a",), ("files:", "files:a\0b")]),
            st.sampled_from([("untrusted:web",), ("confidential",)]),
        ),
    )


def _admin(ident: str, sid: str) -> st.SearchStrategy[AdminBody]:
    return st.sampled_from(
        [
            AdminBody(Event.SESSION_ENDED, "ana", sid),
            AdminBody(Event.SESSION_OPENED, "harness", sid, {"agent": "reader", "user": "ana"}),
            AdminBody(Event.SESSION_KEYED, "remit", sid, {"key": "0a" * 32}),
            AdminBody(Event.SESSION_KEYED, "remit", sid, {"key": None}),
            AdminBody(Event.SESSION_WORDS, "harness", sid, {"text": "pay ana", "grounds": True}),
            AdminBody(Event.HALT, "ana", f"session:{sid}", {"reason": "suspicious"}),
            AdminBody(Event.HALT, "bea", "agent:reader", {"reason": "loops"}),
            AdminBody(Event.HALT, "ana", "agent:reader", {"reason": "odd", "holds": "reading"}),
            AdminBody(Event.HALT, "ana", "everything", {"reason": "all"}),
            AdminBody(Event.RESUME, "ana", "agent:reader"),
            AdminBody(Event.RESUME, "ana", f"session:{sid}"),
            AdminBody(Event.APPROVAL_EXPIRED, "remit", ident),
            AdminBody(Event.APPROVAL_CANCELLED, "remit", ident),
            AdminBody(Event.APPROVAL_STARTED, "remit", ident),
            AdminBody(Event.APPROVAL_SUPERSEDED, "remit", ident, {"by": f"{ident}0"}),
            AdminBody(Event.TOKEN_REVOKED, "ana", "t1", {"expires_ms": 5_000}),
            AdminBody(Event.TOKEN_REVOKED, "ana", "t2"),
            AdminBody(Event.CREDENTIAL, "remit", "admin", {"hash": "sha256:1"}),
            AdminBody(Event.CREDENTIAL, "remit", "admin", {"hash": None}),
            AdminBody(Event.BUNDLE, "ana", BUNDLE),
        ]
    )
