"""What an action reaches: a tool, a resource, a prompt, a model, another agent, as policy and ledger name it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from remit.facts.action import Action, ActionKind
from remit.facts.catalog import Effect, Tool
from remit.facts.label import NONE, Labels
from remit.facts.text import escaped
from remit.policy.arguments import Validator
from remit.policy.bundle import Bundle, Slice, ToolForm, action_uid, agent_uid, data_uid, model_uid, server_uid
from remit.policy.form import Uid
from remit.policy.schema import INPUTS
from remit.policy.typing import Record

_SHOWN_MAX: Final = 120
_DOING: Final[Mapping[ActionKind, str]] = MappingProxyType(
    {
        ActionKind.CALL_MODEL: "call the model",
        ActionKind.READ_RESOURCE: "read",
        ActionKind.GET_PROMPT: "get the prompt",
        ActionKind.LIST_ROOTS: "see the client's roots from",
        ActionKind.DELEGATE: "delegate to",
    }
)


@dataclass(frozen=True, slots=True)
class Reached:
    """The far end of an action.

    `doing` says it to people. `within` are the entities that `resource` is in. `source` are the labels
    that what comes back brings. `record` types the input for policy, `validator` checks it; None where
    there is none. A `tool` is what a call of one reaches.
    """

    doing: str
    action: Uid
    resource: Uid
    slice: Slice
    within: frozenset[Uid] = frozenset()
    source: Labels = NONE
    record: Record | None = None
    validator: Validator | None = None
    tool: Tool | None = None

    @property
    def pin(self) -> str:
        """The pin of the tool, or nothing."""
        return "" if self.tool is None else self.tool.pin

    @property
    def irreversible(self) -> bool:
        """Whether it cannot be undone, as far as the catalog says."""
        return self.tool is not None and self.tool.effect is Effect.IRREVERSIBLE


@lru_cache(maxsize=4_096)
def _calling(server: str, name: str) -> str:
    return f"call {escaped(f'{server}/{name}', chars_max=_SHOWN_MAX)}"


def reached_tool(bundle: Bundle, form: ToolForm) -> Reached:
    """What a call of the tool `form` reaches."""
    tool = form.tool
    return Reached(
        doing=_calling(tool.server, tool.name),
        action=action_uid(tool.exposed),
        resource=server_uid(tool.server),
        slice=bundle.slice_of(tool),
        source=tool.source,
        record=form.record,
        validator=form.validator,
        tool=tool,
    )


def reached_other(bundle: Bundle, action: Action) -> Reached:
    """What any other action reaches."""
    kind = action.kind.value
    server = bundle.catalog.servers.get(action.server)
    resource, within = _resource(action)
    shown = action.name or f"what {action.server} lists"
    return Reached(
        doing=f"{_DOING[action.kind]} {escaped(shown, chars_max=_SHOWN_MAX)}",
        action=action_uid(kind),
        resource=resource,
        slice=bundle.slice(kind),
        within=within,
        source=NONE if server is None else server.source,
        record=INPUTS.get(kind),
    )


def _resource(action: Action) -> tuple[Uid, frozenset[Uid]]:
    match action.kind:
        case ActionKind.READ_RESOURCE:
            return data_uid(action.server, action.name), frozenset({server_uid(action.server)})
        case ActionKind.CALL_MODEL:
            return model_uid(action.name), frozenset()
        case ActionKind.DELEGATE:
            return agent_uid(action.name), frozenset()
        case _:
            return server_uid(action.server), frozenset()
