"""A small world in which actions are judged one after another, over `decide` and `judge_result`.

Laws
* Nothing is reached and nothing is random. Time is simulated and moves where the caller says so.
* Sessions, stores, counters and what agents did before are those of the service: labels flow up a chain of
  delegation and through stores, counters rise with every permitted call.
* Nobody approves anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from remit.assure.supposition import PRACTISED, SupposedPast, Supposition
from remit.assure.veil import veiled
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.budget import Draw
from remit.facts.canonical import Json, canonical
from remit.facts.durations import DAY_MS
from remit.facts.label import Labels, closed
from remit.facts.novelty import UsageHistory
from remit.facts.session import Session
from remit.facts.tool import UNCATALOGUED_SOURCE
from remit.pdp.decide import decide
from remit.pdp.decision import Append, Decision
from remit.pdp.measure import impact
from remit.pdp.offline import decide_offline
from remit.pdp.other_destination import other_destination
from remit.pdp.result_judgement import JudgedCall, judge_result
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.policy.schema import CLIENT_MODEL
from remit.policy.uids import action_uid, server_uid
from remit.policy.verdict import Permit
from remit.protect.budgets import Accounts, BudgetIndex
from remit.protect.hashing import KEY_BYTES, token_hasher
from remit.protect.index import Index
from remit.protect.origins import words_delta
from remit.protect.past import NOTHING as NO_PAST
from remit.protect.stores import Stores
from remit.trace.bodies import ActionBody, Status

START_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z: when every world begins."""
_TOKEN: Final = "world"  # noqa: S105 - a name, not a secret
_SESSION_MS: Final = DAY_MS

Chain: TypeAlias = tuple[str, ...]
"""The agents of a delegation chain, the minted one first; `NAME#2` is a second session of its own of agent NAME."""


def agent_of(name: str) -> str:
    """The agent of `NAME` or `NAME#2`."""
    return name.partition("#")[0]


@dataclass(frozen=True, slots=True)
class ProposedAction:
    """One action as somebody describes it."""

    kind: ActionKind
    server: str
    name: str
    args: Mapping[str, Json]

    @property
    def tool(self) -> str:
        """What its server is asked for: `SERVER/TOOL`, or `KIND of SERVER` whatever the name that it is asked by."""
        return f"{self.server}/{self.name}" if self.kind is ActionKind.CALL_TOOL else f"{self.kind} of {self.server}"


class World:
    """Sessions, stores, accounts and a clock. `user` is for whom sessions run; without `budgets` none is spent."""

    def __init__(self, bundle: Bundle, user: str | None = None, *, budgets: bool = True) -> None:
        self.bundle = bundle
        self.now_ms = START_MS
        self._user = user
        self._sessions: dict[Chain, Session] = {}
        self._origins: dict[str, Index] = {}
        self._stores = Stores()
        self._used = UsageHistory()
        self._practised = False
        self._accounts = Accounts()
        self._plan = BudgetIndex(bundle.catalog) if budgets else None
        self._past = NO_PAST
        self._keyed = token_hasher(bytes(KEY_BYTES))

    def session(self, chain: Chain) -> Session:
        """The session of the last of `chain`, begun now where it is new."""
        session = self._sessions.get(chain)
        if session is None:
            sid = "/".join(chain)
            session = self._sessions[chain] = Session(sid, agent_of(chain[-1]), self._user, self.now_ms)
        return session

    def effective(self, chain: Chain) -> Labels:
        """The labels that count for `chain`: those of all its sessions."""
        return frozenset[str]().union(*(self.session(chain[:end]).labels for end in range(1, len(chain) + 1)))

    def change(self, chain: Chain, session: Session) -> None:
        """Have the session of `chain` be `session`."""
        self._sessions[chain] = session

    def give(self, chain: Chain, labels: Labels) -> None:
        """Have all sessions of `chain` hold `labels` too."""
        for end in range(1, len(chain) + 1):
            session = self.session(chain[:end])
            self._sessions[chain[:end]] = replace(session, labels=session.labels | closed(labels))

    def hear(self, chain: Chain, text: str) -> None:
        """The user's own words, by a trusted harness."""
        index = self._index(chain)
        index.apply(words_delta(index, text))

    def suppose(self, past: Supposition) -> None:
        """From now on monitors say what is supposed of them; nothing happened to the others."""
        self._past = SupposedPast(self.bundle.catalog.monitors, past) if past else NO_PAST

    def practise(self, *, used: bool) -> None:
        """From now on nothing is new to anybody, where `used`; else what was not done in this world."""
        self._practised = used

    def action(self, chain: Chain, doing: ProposedAction) -> Action:
        """What `chain` is about to do."""
        links = tuple(Link(agent_of(chain[end - 1]), self.session(chain[:end]).sid) for end in range(1, len(chain) + 1))
        expires_ms = START_MS + _SESSION_MS
        authority = Authority(links, self._user, _TOKEN, expires_ms)
        action = Action(doing.kind, doing.server, doing.name, canonical(doing.args), doing.args, authority)
        return veiled(self.bundle, action)

    def snapshot(self, chain: Chain, action: Action) -> Snapshot:
        """Everything that judging `action` may look at, as it is now."""
        return Snapshot(
            self.bundle,
            tuple(self.session(chain[:end]) for end in range(1, len(chain) + 1)),
            Pin.MATCHES,
            origins=self._index(chain),
            usage=PRACTISED if self._practised else self._used,
            stores=self._stores.labels_for(self.bundle, action),
            past=self._past,
            draws=self._draws(action),
        )

    def _draws(self, action: Action) -> tuple[Draw, ...]:
        if self._plan is None:
            return ()
        reached = self.reached(action)
        asked = partial(impact, reached, action.input)
        return self._plan.draws(action, reached.tool, asked, self._accounts, self.now_ms)

    def judge(self, chain: Chain, action: Action) -> Decision:
        """Decide on `action`; what it does to sessions and stores is done where it is permitted."""
        decision = decide_offline(
            lambda one: decide(self.snapshot(chain, one), veiled(self.bundle, one), self.now_ms), action
        )
        if isinstance(decision.verdict, Permit):
            self.take(chain, action, decision)
        return decision

    def take(self, chain: Chain, action: Action, decision: Decision) -> None:
        """The permitted `action` goes ahead: counters rise, and stores hold what it may write."""
        body = next((one.body for one in decision.effects if isinstance(one, Append)), None)
        if not isinstance(body, ActionBody):
            return
        irreversible = 1 if body.irreversible else 0
        for end in range(1, len(chain) + 1):
            session = self.session(chain[:end])
            self._sessions[chain[:end]] = replace(
                session, calls=session.calls + 1, irreversible_calls=session.irreversible_calls + irreversible
            )
        for charge in body.charges:
            self._accounts.charge(charge.account, charge.since_ms, charge.units)
        stored = self.snapshot(chain, action).stores
        if stored.writes:
            labels = frozenset(body.labels) | frozenset(body.source)
            for where in stored.writes:
                self._stores.label(where, labels | self.bundle.labels if stored.full else labels)
        self._used.intent(body.links, action.kind.value, action.server, action.name, body.reaches)

    def answer(self, chain: Chain, ident: str, action: Action, result: Json, *, failed: bool) -> None:
        """Take in what came back of `action`."""
        status = Status.TOOL_ERROR if failed else Status.OK
        index = self._index(chain)
        judged = judge_result(
            self.bundle,
            self.reached(action),
            action.server,
            (self.session(chain),),
            status,
            result,
            self._stores.labels_for(self.bundle, action).labels,
            call=JudgedCall(ident, action, index),
        )
        if judged.origins is not None:
            index.apply(judged.origins)
        self.give(chain, judged.labels)

    def anything(self, chain: Chain, action: Action) -> None:
        """What came back of `action` held every label that it can bring."""
        self.give(chain, self.reached(action).source | self._stores.labels_for(self.bundle, action).labels)

    def reached(self, action: Action) -> Destination:
        """What `action` reaches; nobody knows what an unknown tool is, so that nobody knows what it brings."""
        if action.kind is ActionKind.CALL_TOOL:
            form = self.bundle.tools.get((action.server, action.name))
            if form is not None:
                return self.bundle.destination(form)
            part = self.bundle.slice(ActionKind.CALL_TOOL)
            brings = tuple(UNCATALOGUED_SOURCE)
            uids = action_uid(action.name), server_uid(action.server)
            return Destination("call", *uids, part, UNCATALOGUED_SOURCE, brings)
        return other_destination(self.bundle, action)

    def _index(self, chain: Chain) -> Index:
        return self._origins.setdefault(chain[0], Index(self._keyed))


def other_action(kind: ActionKind, server: str, name: str) -> ProposedAction:
    """An action that calls no tool, with the input that it has."""
    match kind:
        case ActionKind.READ_RESOURCE:
            args: Mapping[str, Json] = {"uri": name}
        case ActionKind.GET_PROMPT:
            args = {"name": name}
        case ActionKind.CALL_MODEL:
            return ProposedAction(kind, server, CLIENT_MODEL, {})
        case _:
            args = {}
    return ProposedAction(kind, server, name, args)


def called(bundle: Bundle, tool: str, suite: str | None = None) -> tuple[str, str]:
    """The server and name of `SERVER/TOOL`, or of a TOOL of server `suite`, else of the only one that has it."""
    server, slash, name = tool.partition("/")
    if slash and server in bundle.catalog.servers:
        return server, name
    servers: Sequence[str] = [server for server, known in bundle.tools if known == tool]
    if suite is not None and ((suite, tool) in bundle.tools or len(servers) != 1):
        return suite, tool
    return (servers[0] if len(servers) == 1 else ""), tool
