"""What a Tool resource says of its store."""

from remit.control.problems import WorkspaceProblem
from remit.control.resources import Resource, StoreSpec, ToolSpec
from remit.facts.canonical import Json
from remit.facts.store import STORE_NAME, Store, StoreAccess
from remit.facts.tool import Effect


def store_of(server: str, spec: StoreSpec, effect: Effect | None) -> Store:
    """The store of a tool at `server`; what is left out counts as the worst case."""
    access = spec.access or (StoreAccess.READ if effect is Effect.READ else StoreAccess.BOTH)
    reads, writes = access is not StoreAccess.WRITE, access is not StoreAccess.READ
    return Store(server if spec.name is None else spec.name, spec.keys, reads, writes)


def store_problems(resource: Resource, tool: ToolSpec) -> list[WorkspaceProblem]:
    """What is wrong with it, whatever the tool's own arguments are."""
    problems: list[WorkspaceProblem] = []
    spec, effect = tool.store, tool.effect
    if spec is None:
        return problems
    if any(name in tool.arguments and tool.arguments[name].secret for name in spec.keys):
        what = "a secret argument is no key of a store: where something is kept is recorded"
        problems.append(WorkspaceProblem("tool/store", resource.at("spec.store"), what))
    if spec.name is not None and not STORE_NAME.fullmatch(spec.name):
        what = f"{spec.name[:64]!r} is not the name of a store: 1-24 of a-z 0-9 -"
        problems.append(WorkspaceProblem("tool/store", resource.at("spec.store.name"), what))
    if effect is Effect.READ and spec.access in {StoreAccess.WRITE, StoreAccess.BOTH}:
        what = "a tool whose effect is read does not write to a store"
        hint = "leave spec.store.access out, or say the effect that it has"
        problems.append(WorkspaceProblem("tool/store", resource.at("spec.store.access"), what, hint=hint))
    return problems


def store_spec_json(spec: StoreSpec) -> Json:
    """What a resource says of a store, as YAML spells it."""
    members: dict[str, Json] = {"keys": list(spec.keys), "name": spec.name, "access": spec.access and spec.access.value}
    return {name: value for name, value in members.items() if value}


def store_json(store: Store) -> Json:
    """A tool's store as YAML spells it, with nothing left out."""
    access = (
        StoreAccess.BOTH if store.reads and store.writes else StoreAccess.READ if store.reads else StoreAccess.WRITE
    )
    return store_spec_json(StoreSpec(store.keys, store.name, access))
