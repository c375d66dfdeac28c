"""A compiled bundle: policies, catalog and lock together, sliced by action.

Immutable but for what is made when it is first asked for (each action's slice, the code of its
policies) and for the trust in that code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from remit.facts.agent import Agent
from remit.facts.catalog import Catalog, Tool
from remit.facts.label import Labels
from remit.policy import cedar
from remit.policy.arguments import Validator
from remit.policy.compiled.function import Judge, function_of
from remit.policy.compiled.shadow import Shadow
from remit.policy.compiled.values import Entities
from remit.policy.convert import Path
from remit.policy.form import Effect, Form, Uid, json_of
from remit.policy.once import Once
from remit.policy.parse import Statement
from remit.policy.schema import EVERYONE, NAMESPACE, action_groups
from remit.policy.typing import Record


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of a bundle with all that is said of it."""

    ident: str
    statement: Statement
    form: Form

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.statement.file}:{self.statement.line}"

    @property
    def reason(self) -> str:
        """Its `@reason`, or a sentence that names it."""
        verb = "permits" if self.form.effect is Effect.PERMIT else "forbids"
        return self.form.annotations.get("reason") or f"policy {self.ident} {verb} this"

    @property
    def gate(self) -> str | None:
        """The route that may lift it."""
        return self.form.annotations.get("gate")

    @property
    def obligation(self) -> str | None:
        """What enforcement must do where it permits."""
        return self.form.annotations.get("obligation")


@dataclass(frozen=True, slots=True)
class Slice:
    """The policies that can apply to one action.

    `ordered` are they by number, in the order of their ids, as generated code and cedarpy name them;
    `generated` is their function, or why there is none; `everything` and `permits` are they, and the
    permits among them, as cedarpy takes them. `reads` are the paths of `input` that some policy depends on.
    """

    policies: Mapping[str, Policy]
    ordered: tuple[Policy, ...]
    generated: Once[Judge | str]
    everything: Once[cedar.PolicySet]
    permits: Once[cedar.PolicySet]
    reads: frozenset[Path]


@dataclass(frozen=True, slots=True)
class ToolForm:
    """A tool as the bundle runs it: its typed input, its validator, its argument names.

    `quarantined` says why it is not run (`tool/untypable`), or is None.
    """

    tool: Tool
    record: Record
    validator: Validator | None
    arguments: tuple[str, ...] = ()
    quarantined: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """What `decide` decides by. `digest` names it in every record.

    `tools` are keyed as in the catalog; `policies` by id. `enforceable` are the kinds of
    obligation that enforcement knows; `labels` are those that policies can name. `members` are the
    entities as generated code reads them.
    """

    digest: str
    catalog: Catalog
    tools: Mapping[tuple[str, str], ToolForm]
    policies: Mapping[str, Policy]
    schema: cedar.Schema
    entities: cedar.Entities
    members: Entities
    labels: Labels
    enforceable: frozenset[str] = frozenset()
    shadow: Shadow = field(default_factory=Shadow)
    _slices: dict[str, Slice] = field(default_factory=dict[str, Slice], repr=False)
    _generated: dict[tuple[str, ...], Once[Judge | str]] = field(
        default_factory=dict[tuple[str, ...], Once[Judge | str]], repr=False
    )

    @property
    def quarantined(self) -> Mapping[tuple[str, str], str]:
        """Tools that are not run, and why."""
        return {key: form.quarantined for key, form in self.tools.items() if form.quarantined is not None}

    def slice(self, action: str, groups: tuple[str, ...] = ()) -> Slice:
        """The slice of the action `action`, which is in `groups`."""
        found = self._slices.get(action)
        if found is None:
            found = self._slices[action] = self._slice(action, groups)
        return found

    def slice_of(self, tool: Tool) -> Slice:
        """The slice of a tool's action."""
        return self._slices.get(tool.exposed) or self.slice(tool.exposed, action_groups(tool))

    def _slice(self, action: str, groups: tuple[str, ...]) -> Slice:
        uid, ancestors = action_uid(action), frozenset(action_uid(group) for group in groups)
        found = sorted(self.policies.items(), key=itemgetter(0))
        kept = {ident: one for ident, one in found if one.form.action.matches(uid, ancestors)}
        ordered = tuple(kept.values())
        permits = [policy for policy in ordered if policy.form.effect is Effect.PERMIT]
        # Many actions have the same policies: they share one function.
        generated = self._generated.setdefault(tuple(kept), Once(lambda: _function(ordered)))
        return Slice(
            policies=kept,
            ordered=ordered,
            generated=generated,
            everything=Once(lambda: _policy_set(ordered)),
            permits=Once(lambda: _policy_set(permits)),
            reads=frozenset[Path]().union(*(policy.form.reads for policy in ordered)),
        )


def _policy_set(policies: Iterable[Policy]) -> cedar.PolicySet:
    return cedar.policies_of("\n".join(policy.statement.text for policy in policies))


def _function(policies: Iterable[Policy]) -> Judge | str:
    # That their action fits is why they are in the slice.
    return function_of([json_of(policy.statement) for policy in policies], scope=("principal", "resource"))


def action_uid(name: str) -> Uid:
    """The Cedar entity of an action or action group."""
    return f"{NAMESPACE}::Action", name


def agent_uid(name: str) -> Uid:
    """The Cedar entity of an agent."""
    return f"{NAMESPACE}::Agent", name


def group_uids(agent: Agent) -> frozenset[Uid]:
    """The Cedar entities an agent is in."""
    return frozenset((f"{NAMESPACE}::Group", group) for group in (*agent.groups, EVERYONE))


def data_uid(server: str, uri: str) -> Uid:
    """The Cedar entity of a resource at `server`, which it is in."""
    return f"{NAMESPACE}::Data", f"{server} {uri}"


def model_uid(name: str) -> Uid:
    """The Cedar entity of a model."""
    return f"{NAMESPACE}::Model", name


def server_uid(name: str) -> Uid:
    """The Cedar entity of a server."""
    return f"{NAMESPACE}::Server", name
