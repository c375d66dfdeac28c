"""Resources, definitions and locks to test with: small ones by hand, odd ones by Hypothesis."""

from collections.abc import Mapping

from hypothesis import strategies as st

from remit.control.lock import EMPTY, Lock, accept
from remit.control.problems import SourceLocation
from remit.control.resources import (
    AgentSpec,
    GroupSpec,
    PolicySpec,
    Resource,
    RouteSpec,
    ServerSpec,
    Spec,
    ToolSpec,
    UserSpec,
    WorkspaceSource,
)
from remit.facts.agent import Harness, Mode
from remit.facts.canonical import Json
from remit.facts.catalog import PolicySource
from remit.facts.tool import Argument, Definition, Effect, Sink

PERMIT = PolicySource("p.cedar", '@id("p") permit (principal, action, resource);')
NOW = Definition(
    "now",
    "Tells the time in a zone.",
    {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    None,
    {"readOnlyHint": True},
)

texts = st.text(st.characters(codec="utf-8"), max_size=30)
keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=30)
names = st.sampled_from(["a", "b", "c", "time", "everyone", "", "A b", "x" * 70, "remit", "time/now"])
words = st.lists(names, max_size=3).map(tuple)
numbers = st.one_of(st.integers(-2, 50), st.floats())
json_values: st.SearchStrategy[Json] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
objects: st.SearchStrategy[dict[str, Json]] = st.dictionaries(keys, json_values, max_size=3)
tool_names = st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True)
definitions = st.builds(
    Definition,
    name=tool_names,
    description=texts,
    input_schema=objects,
    output_schema=st.one_of(st.none(), objects),
    annotations=objects,
)
server_names = st.from_regex(r"[a-z0-9-]{1,24}", fullmatch=True)

specs: st.SearchStrategy[Spec] = st.one_of(
    st.builds(AgentSpec, texts, texts, words, st.sampled_from(Harness), st.sampled_from(Mode)),
    st.builds(UserSpec, words),
    st.builds(GroupSpec, texts, words),
    st.builds(
        ServerSpec,
        st.one_of(st.none(), words),
        st.dictionaries(texts, texts, max_size=2),
        st.one_of(st.none(), texts),
        st.one_of(st.none(), texts, st.sampled_from(["http://[::1", "https://a/b", "http://h:99999/"])),
        st.booleans(),
        numbers,
        numbers,
    ),
    st.builds(
        ToolSpec,
        st.one_of(st.none(), st.sampled_from(Effect)),
        st.one_of(st.none(), st.sampled_from(Sink)),
        st.one_of(st.none(), words, st.just(("untrusted:web",))),
        words,
        texts,
        st.dictionaries(texts, st.builds(Argument, st.booleans()), max_size=2),
    ),
    st.builds(PolicySpec, texts, st.integers(1, 30)),
    st.builds(RouteSpec, words, words, st.integers(-1, 30), numbers, numbers, st.booleans(), st.booleans()),
)
resources = st.builds(
    Resource,
    name=names,
    spec=specs,
    where=st.builds(SourceLocation, st.sampled_from(["a.yaml", "b.yaml"]), st.integers(0, 30)),
)


def _lock_at(keys: list[tuple[str, str]]) -> Lock:
    pinned = lock_of(NOW).tools["time", "now"]
    return Lock(dict.fromkeys(keys, pinned))


locks = st.builds(_lock_at, st.lists(st.tuples(names, st.one_of(names, st.text(max_size=3))), max_size=3))
sources = st.builds(
    WorkspaceSource,
    resources=st.lists(resources, max_size=8).map(tuple),
    policies=st.just((PERMIT,)),
    lock=locks,
)

_groups = st.lists(st.sampled_from(["staff", "night"]), max_size=2).map(tuple)
_people = st.builds(UserSpec, _groups)
_tools = st.builds(
    ToolSpec,
    st.sampled_from([None, *Effect]),
    st.sampled_from([None, *Sink]),
    st.sampled_from([None, (), ("untrusted:web",)]),
)


def _valid(
    night: tuple[str, ...],
    users: Mapping[str, UserSpec],
    command: str,
    tool: ToolSpec | None,
    locked: tuple[Definition, ...],
) -> WorkspaceSource:
    return small(
        declare("staff", GroupSpec()),
        declare("night", GroupSpec("", night)),
        declare("time", ServerSpec((command,), {"A": command})),
        *(declare(name, spec) for name, spec in users.items()),
        *([declare("time/now", tool)] if tool else []),
        lock=lock_of(*locked),
    )


valid_sources = st.builds(
    _valid,
    st.sampled_from([(), ("staff",)]),
    st.dictionaries(st.sampled_from(["ana", "kim"]), _people, max_size=2),
    st.sampled_from(["x", "y"]),
    st.one_of(st.none(), _tools),
    st.sampled_from([(), (NOW,), (NOW, Definition("later", "", {}, None, {}))]),
)
"""Workspaces that assemble, near enough to each other that some are the same."""


def declare(name: str, spec: Spec, line: int = 1, file: str = "a.yaml", **lines: int) -> Resource:
    """A resource at a line; `lines` are those of its fields, dots written as `__`."""
    placed = {path.replace("__", "."): number for path, number in lines.items()}
    return Resource(name, spec, SourceLocation(file, line), lines=placed)


def lock_of(*found: Definition, server: str = "time") -> Lock:
    """A lock in which these are accepted."""
    lock = EMPTY
    for definition in found:
        lock = accept(lock, server, definition.name, definition, definition.pin())
    return lock


def small(*more: Resource, lock: Lock = EMPTY) -> WorkspaceSource:
    """A workspace with one agent and one policy, and `more`."""
    agent = declare("bot", AgentSpec("ana", "helps"))
    return WorkspaceSource((agent, *more), (PERMIT,), lock)
