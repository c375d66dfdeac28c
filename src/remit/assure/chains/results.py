"""What a search finds: chains of steps, each permitted, and what it did to find them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.assure.chains.goals import Goal
from remit.assure.world import Chain, ProposedAction
from remit.facts.canonical import Json


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One step of a chain as it was judged: the verdict, the policies that gave it, and the labels held after it.

    `gates` are the policies that people would have to lift, with their routes; `past` is what monitors are supposed to
    say then, where it is not that nothing happened, and `precedent` that the agent did the like before. `open` are
    arguments for which no value was found that the schema takes: any stands for it.
    """

    chain: Chain
    doing: ProposedAction
    verdict: str
    policies: tuple[str, ...]
    gates: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    times: int = 1
    age_s: int = 0
    now_ms: int = 0
    picks: str | None = None
    leaves: str | None = None
    unsaid: bool = False
    past: Mapping[str, Json] = field(default_factory=dict[str, Json])
    open: tuple[str, ...] = ()
    precedent: bool = False


@dataclass(frozen=True, slots=True)
class FoundChain:
    """The shortest chain to `goal` by the tool that ends it. `together` says that no agent can do it alone.

    `agents` are all who can end it so; `hidden` says that on the way data lost its label, by what the catalog does
    not say; `suspects` are policies that would have to have ended it, the likeliest first; `moves` counts
    what was handed back as well.
    """

    goal: Goal
    user: str | None
    steps: tuple[ChainStep, ...]
    agents: tuple[str, ...]
    together: bool
    hidden: bool
    suspects: tuple[str, ...]
    moves: int

    @property
    def escalates(self) -> bool:
        """Whether people are asked on the way."""
        return any(step.gates for step in self.steps)

    @property
    def open(self) -> bool:
        """Whether an argument is left open: there may be no value with which it can be done."""
        return any(step.open for step in self.steps)

    @property
    def tool(self) -> str:
        """What ends it, as `ProposedAction.tool` says it."""
        return self.steps[-1].doing.tool


@dataclass(frozen=True, slots=True)
class SearchAccount:
    """What was searched: states and transitions, policies asked how often, and where it stopped if it did.

    `omissions` says in a sentence each what was not looked at; `assumed` what was taken for granted.
    """

    labels: tuple[str, ...]
    states: int
    transitions: int
    queries: int
    steps: int
    stopped: str | None
    omissions: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Where it did not look, in a sentence each: what was not seen to hold does not hold."""
        stopped = () if self.stopped is None else (f"the search stopped {self.stopped}",)
        return (*stopped, *(f"not looked at: {sentence}" for sentence in self.omissions))


@dataclass(frozen=True, slots=True)
class FailingPolicy:
    """A policy that cannot be evaluated for an action: it denies every such call, whatever its author meant."""

    policy: str
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """All chains that need nobody (`unattended`), and those that need people who always say yes (`attended`).

    `account` says what was searched; `failing` are policies that could not be asked. `deferred` are chains that
    policies leave to a guarantee which counts as agents act, and which nobody has to cut.
    """

    unattended: tuple[FoundChain, ...]
    attended: tuple[FoundChain, ...]
    failing: tuple[FailingPolicy, ...]
    account: SearchAccount
    deferred: tuple[FoundChain, ...] = ()
