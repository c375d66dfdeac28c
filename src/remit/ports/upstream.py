"""A server as the enforcement point reaches it: its tools, resources and prompts, and what it asks back.

Whatever the server wrote (results, questions, notices, texts) is untrusted and leaves through `pep.release` alone.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from remit.facts.canonical import Json
from remit.facts.catalog import Server
from remit.facts.tool import Definition


class Era(StrEnum):
    """The two wire eras of MCP: stateless requests, and sessions opened by `initialize`."""

    STATELESS = "2026-07-28"
    INITIALIZE = "2025-11-25"


@dataclass(frozen=True, slots=True)
class Result:
    """The tool's result object, parsed; `is_error` when the tool itself says it failed."""

    value: Mapping[str, Json]
    is_error: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a server asks of the client in mid-call: `elicitation/create`, `sampling/createMessage` or `roots/list`."""

    method: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Failure:
    """No usable result. `sent` is False only when the request surely never left.

    `text` is ours, never the upstream's; `upstream_text` is theirs and passes the funnel. `code` is that of
    the JSON-RPC error the upstream answered with (`cause` is then `error`), `needs` the capabilities that it
    says the client lacks, in names of ours, `addresses` what it says the user has to open first, in words of theirs.
    """

    cause: str
    text: str
    sent: bool
    upstream_text: str | None = None
    code: int | None = None
    needs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    addresses: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class InputRequired:
    """The call goes on once these questions, by the server's own keys, are answered.

    `continuation` is the adapter's: pass it to `resume` or `drop`, once. Of a server of 2026-07-28 it holds the
    `requestState`; of an earlier one the call that is still open.
    """

    questions: Mapping[str, Question]
    continuation: object


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """The server goes on with the call as a task, where the client declared that it takes one.

    `task` is what it said of it (`CreateTaskResult` of `io.modelcontextprotocol/tasks`), all of it untrusted; `ask`
    takes `tasks/get`, `tasks/update` and `tasks/cancel` with its `taskId`.
    """

    task: Mapping[str, Json]


Reply: TypeAlias = Result | Failure | InputRequired | TaskStarted


@dataclass(frozen=True, slots=True)
class Progress:
    """`notifications/progress` of the call it came with."""

    progress: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """`notifications/message`."""

    level: str
    logger: str | None
    data: Json


class Offer(StrEnum):
    """What a server lists: the member that a page of it holds."""

    TOOLS = "tools"
    RESOURCES = "resources"
    TEMPLATES = "resourceTemplates"
    PROMPTS = "prompts"


@dataclass(frozen=True, slots=True)
class ListChanged:
    """`notifications/…/list_changed`; templates change with resources."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class ResourceUpdated:
    """`notifications/resources/updated`."""

    uri: str


@dataclass(frozen=True, slots=True)
class ElicitationCompleted:
    """`notifications/elicitation/complete`, of 2025-11-25: what the user had to open is done with.

    `elicitation` is the server's id, of `ELICITATION_CHARS_MAX` at most.
    """

    elicitation: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The first word of a watch: what changes from here on is heard."""


Change: TypeAlias = ListChanged | ResourceUpdated | ElicitationCompleted
"""What a watch tells of."""
Notice: TypeAlias = Progress | Log | Change
NoticeListener: TypeAlias = Callable[[Notice], None]
HoldBytes: TypeAlias = Callable[[int], bool]


def unbounded(size: int) -> bool:  # noqa: ARG001 - as `HoldBytes` has it
    """The `HoldBytes` of who may be held any number of bytes for."""
    return True


@dataclass(frozen=True, slots=True)
class UpstreamContext:
    """What goes with a request, and who hears of it while it is open.

    `hear` gets progress and logs in order, None where nobody asked: then the server is not asked for them
    either. `capabilities` are those the client declared and policy leaves it (`elicitation`, `sampling`,
    `roots`, and `extensions`, which a server of 2026-07-28 alone is told); a session of the `initialize` era is
    opened with exactly them. `log_level` is what the client asked for. `trace` is a W3C traceparent. `headers`
    are the `Mcp-Param-*` of the final arguments, `meta` what else of ours its `_meta` holds. `hold` says whether so
    many bytes more of a large answer may be held for who asked.
    """

    hear: NoticeListener | None = None
    capabilities: Mapping[str, Json] = field(default_factory=dict[str, Json])
    log_level: str | None = None
    trace: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    hold: HoldBytes = unbounded


ELICITATION_CHARS_MAX: Final = 512
NO_CONTEXT: Final = UpstreamContext()
_ABLE: Final = UpstreamContext(
    capabilities={
        "elicitation": {"form": {}, "url": {}},
        "sampling": {"tools": {}, "context": {}},
        "roots": {},
    }
)


def looking(server: Server | None) -> UpstreamContext:
    """How Remit looks at a server's tools on its own account: as a client that may be asked all that there is.

    Many servers show tools that ask something to such clients alone; unseen, nobody could accept them. Where all
    sessions share one child, which may be there only once, it is no other for that.
    """
    return NO_CONTEXT if server is None or server.shared else _ABLE


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a server says of itself: `capabilities` as it declared them, `instructions` untrusted."""

    capabilities: Mapping[str, Json]
    instructions: str | None


class UpstreamUnreachable(Exception):
    """The server cannot be reached or does not speak MCP; says why."""


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How one server fares, for `describe` and `doctor`.

    `state`: `idle`, `up`, `silent` (it answers nothing), `down`, `backing-off` or `closed`; `cause` is why it is not
    up, as in `Failure`. `eras`: those it is known to speak.
    `connections`: open upstream sessions or children, `pids` the latter. `strays`: messages
    dropped because nobody asked for them. `dropped`: tools left out and why. `last_error` is
    ours; `stderr`, names in `dropped` and the rest of the upstream's text are untrusted.
    """

    server: str
    transport: str
    state: str
    eras: tuple[Era, ...] = ()
    last_error: str | None = None
    cause: str | None = None
    connections: int = 0
    pids: tuple[int, ...] = ()
    restarts: int = 0
    strays: int = 0
    dropped: Mapping[str, str] = field(default_factory=dict[str, str])
    stderr: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it answers, as far as is known: one that nobody has asked yet is taken to."""
        return self.state in {"idle", "up"}


class Upstream(Protocol):
    """One server. Adapters keep connections, children and back-off to themselves."""

    async def definitions(
        self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT, *, anew: bool = False
    ) -> Sequence[Definition]:
        """The server's live tools, as the connection that serves `sid` with `context.capabilities` sees them.

        No older than the server's `verify_s`; `anew`, no older than this call, and from then on nobody is given what
        was read before. Raises `UpstreamUnreachable`.
        """
        ...

    async def introduce(self, sid: str, era: Era, context: UpstreamContext = NO_CONTEXT) -> Introduction:
        """What the server says of itself (`server/discover` or `initialize`), no older than `verify_s`.

        Raises `UpstreamUnreachable`.
        """
        ...

    async def call(
        self, sid: str, era: Era, name: str, arguments: bytes, context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        """Call a tool with exactly these canonical argument bytes.

        Never raises but on cancellation, which cancels upstream too.
        """
        ...

    async def ask(
        self, sid: str, era: Era, method: str, params: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        """Any other request (`resources/read`, `prompts/get`, `completion/complete`, `prompts/list` …), once.

        `params` has no `_meta`. `Result.value` is the result object, its protocol members (`_meta`,
        `resultType`, caching hints) left out. Never raises but on cancellation, which cancels upstream too.
        """
        ...

    async def resume(
        self, continuation: object, responses: Mapping[str, Json], context: UpstreamContext = NO_CONTEXT
    ) -> Reply:
        """Go on with a call that asked: the client's answers by key; None refuses to answer that question.

        A `continuation` of another process, used, or expired upstream is a `Failure`. Never raises but on cancellation.
        """
        ...

    async def drop(self, continuation: object) -> None:
        """Cancel a call that asked."""
        ...

    def watch(
        self, sid: str, era: Era, offers: frozenset[Offer], uris: frozenset[str], context: UpstreamContext = NO_CONTEXT
    ) -> AsyncGenerator[Notice | Ready]:
        """`Ready`, then changes of these lists and resources, while it is iterated; closing it unsubscribes.

        So is any elicitation that a server of the `initialize` era says is complete, whoever was asked.

        Raises `UpstreamUnreachable` while it is iterated once the server is lost: watch again.
        """
        ...

    async def end_session(self, sid: str) -> None:
        """Release what is kept for `sid` (its stdio child)."""
        ...

    async def close(self) -> None:
        """Release everything."""
        ...


class MonitoredUpstream(Upstream, Protocol):
    """An upstream that also says how it fares."""

    def health(self) -> ServerHealth:
        """Its state now; sends nothing."""
        ...

    def look(self) -> None:
        """Have it asked whether it answers, where a call waits or it was not reached; returns at once."""
        ...
