"""A compiled bundle: policies, catalog and lock together, sliced by action.

Immutable but for what is made when it is first asked for (each action's slice, the code of its
policies) and for the trust in that code.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from remit.facts.catalog import Catalog
from remit.facts.label import Labels
from remit.facts.tool import Tool
from remit.policy import cedar
from remit.policy.compiled.function import Judge
from remit.policy.compiled.shadow import Shadow
from remit.policy.compiled.values import Entities
from remit.policy.destination import Destination, ToolForm, tool_destination
from remit.policy.once import Once
from remit.policy.schema import OTHER_ACTIONS, action_groups
from remit.policy.slice import Policy, Slice, generated_of, slice_of
from remit.policy.uids import action_uid


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """What `decide` decides by. `digest` names it in every record.

    `tools` are keyed as in the catalog; `policies` by id, in its order. `labels` are those that policies can name;
    `stores` the names of each server's; `flow` is whether some policy looks at where values came from.
    `members` are the entities as generated code reads them.
    """

    digest: str
    catalog: Catalog
    tools: Mapping[tuple[str, str], ToolForm]
    policies: Mapping[str, Policy]
    schema: cedar.Schema
    entities: cedar.Entities
    members: Entities
    labels: Labels
    stores: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    flow: bool = False
    shadow: Shadow = field(default_factory=Shadow)
    _slices: dict[str, Slice] = field(default_factory=dict[str, Slice], repr=False)
    _destinations: dict[tuple[str, str], Destination] = field(
        default_factory=dict[tuple[str, str], Destination], repr=False
    )
    _generated: dict[tuple[str, ...], Once[Judge | str]] = field(
        default_factory=dict[tuple[str, ...], Once[Judge | str]], repr=False
    )

    @property
    def quarantined(self) -> Mapping[tuple[str, str], str]:
        """Tools that are not run, and why."""
        return {key: form.quarantined for key, form in self.tools.items() if form.quarantined is not None}

    def slice(self, action: str, groups: tuple[str, ...] = ()) -> Slice:
        """The slice of the action `action`, which is in `groups`."""
        part = self._slices.get(action)
        if part is None:
            part = self._slices[action] = self._slice(action, groups)
        return part

    def slice_of(self, tool: Tool) -> Slice:
        """The slice of a tool's action."""
        return self._slices.get(tool.exposed) or self.slice(tool.exposed, action_groups(tool))

    @property
    def asked(self) -> frozenset[str]:
        """The actions that were judged by it."""
        return frozenset(self._slices)

    def warm(self, actions: AbstractSet[str], turn: Callable[[], object]) -> None:
        """Make now what judging `actions` for the first time would make; `turn` is called after each."""
        groups = {tool.exposed: action_groups(tool) for tool in self.catalog.tools.values()}
        for action in sorted(actions & (groups.keys() | OTHER_ACTIONS.keys())):
            part = self.slice(action, groups.get(action, ()))
            part.generated()
            turn()
            # A sample is compared with cedarpy, the first judgement among them.
            part.everything()
            turn()

    def destination(self, form: ToolForm) -> Destination:
        """What a call of the tool of `form` reaches."""
        key = form.tool.server, form.tool.name
        destination = self._destinations.get(key)
        if destination is None:
            destination = self._destinations[key] = tool_destination(
                form,
                self.slice_of(form.tool),
                self.catalog.monitors.values(),
                self.catalog.guarantees.values(),
                self.catalog.looked_for_at(form.tool.server),
            )
        return destination

    def _slice(self, action: str, groups: tuple[str, ...]) -> Slice:
        uid, ancestors = action_uid(action), frozenset(action_uid(group) for group in groups)
        policies = {ident: one for ident, one in self.policies.items() if one.form.action.matches(uid, ancestors)}
        # Many actions have the same policies: they share one function.
        generated = self._generated.setdefault(tuple(policies), Once(lambda: generated_of(policies.values())))
        return slice_of(policies, generated)
