"""What Cedar's validator lets through and Remit does not, over a policy's JSON form.

Errors: ids missing or twice, entities that do not exist, paths after `has` that do not exist
where the policy applies, gates and obligations that mean nothing. Warnings: what is probably
not what its author meant.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.obligation import Cover, Obligation, parsed, problem
from remit.facts.text import identifier_problem
from remit.facts.tool import Effect as ToolEffect
from remit.facts.tool import Sink
from remit.policy.confidence import HINT, confidence_problem
from remit.policy.form import ParsedPolicy, PolicyEffect
from remit.policy.outputs import may_have
from remit.policy.parse import Statement
from remit.policy.problem import PolicyProblem, nearest
from remit.policy.schema import NAMESPACE, resolves

_KINDS: Final = frozenset(
    {"call_tool", *(f"effect:{effect.value}" for effect in ToolEffect), *(f"sink:{sink.value}" for sink in Sink)}
)
"""The action groups that are there whatever the catalog holds."""
ANNOTATIONS: Final = frozenset({"id", "reason", "gate", "obligation", "owasp"})


@dataclass(frozen=True, slots=True)
class LintContext:
    """What policies are checked against.

    `actions`: the groups of each action that can be asked for; `servers`: the resource of a
    tool's action; `untyped`: tools without `input`, and why; `arguments`: those that each tool has;
    `outputs`: the output schemas, of those that have one.
    """

    catalog: Catalog
    schema: Mapping[str, Json]
    actions: Mapping[str, frozenset[str]]
    servers: Mapping[str, str]
    untyped: Mapping[str, str]
    arguments: Mapping[str, frozenset[str]]
    outputs: Mapping[str, Mapping[str, Json]]

    def actions_in_scope(self, form: ParsedPolicy) -> tuple[str, ...]:
        """Actions in the scope of `form`."""
        kind = f"{NAMESPACE}::Action"
        return tuple(
            name
            for name, groups in self.actions.items()
            if form.action.matches((kind, name), frozenset((kind, group) for group in groups))
        )

    def on(self, action: str, form: ParsedPolicy) -> bool:
        """Whether the resource of `action` may be in the scope of `form`."""
        server = self.servers.get(action)
        uid = (f"{NAMESPACE}::Server", server or "")
        return server is None or form.resource.matches(uid, frozenset())


@dataclass(frozen=True, slots=True)
class Findings:
    """Errors refuse the bundle; warnings do not."""

    errors: tuple[PolicyProblem, ...]
    warnings: tuple[PolicyProblem, ...]


NONE: Final = Findings((), ())


def policy_id(form: ParsedPolicy) -> str | None:
    """The `@id`, or None."""
    return form.annotations.get("id") or None


def lint(statement: Statement, form: ParsedPolicy, ground: LintContext) -> Findings:
    """Everything Remit's own linter says of one policy; duplicates are `duplicates`' matter."""
    ident = policy_id(form)
    errors: list[PolicyProblem] = []
    warnings: list[PolicyProblem] = []
    if ident is None:
        hint = """put @id("…") before it"""
        errors.append(statement.problem("a policy needs a unique @id", hint=hint))
    elif (why := identifier_problem(ident)) is not None:
        errors.append(statement.problem(f"this @id cannot be used: {why}", "@id"))
    in_scope = ground.actions_in_scope(form)
    for text, words, hint in _literals(form, ground.catalog):
        errors.append(statement.problem(text, words, ident, hint))
    for text, words, hint in _annotations(form, ground):
        errors.append(statement.problem(text, words, ident, hint))
    for text, words, hint in _paths(form, in_scope, ground):
        (errors if in_scope else warnings).append(statement.problem(text, words, ident, hint))
    if (why := confidence_problem(statement, form)) is not None:
        errors.append(statement.problem(why, "confidence", ident, HINT))
    warnings.extend(statement.problem(text, words, ident) for text, words in _doubts(form, in_scope, ground))
    for name in sorted(set(form.annotations) - ANNOTATIONS):
        text, hint = f"the annotation @{name} means nothing here", nearest(f"@{name}", map("@{}".format, ANNOTATIONS))
        if _loosens(form, name):
            text = f"{text}, and without its @obligation this permits more"
            errors.append(statement.problem(text, f"@{name}", ident, "did you mean @obligation?"))
        else:
            warnings.append(statement.problem(text, f"@{name}", ident, hint))
    return Findings(tuple(errors), tuple(warnings))


def _loosens(form: ParsedPolicy, name: str) -> bool:
    """Whether a permit is bound by nothing where its author meant an `@obligation`, by what he wrote or called it."""
    if form.effect is not PolicyEffect.PERMIT:
        return False
    close = difflib.get_close_matches(name.lower(), ["obligation"], cutoff=0.7)
    return bool(close) or problem(form.annotations[name]) is None


def duplicates(policies: Iterable[tuple[Statement, ParsedPolicy]]) -> Iterator[PolicyProblem]:
    """A problem for each policy whose `@id` an earlier one has."""
    first: dict[str, Statement] = {}
    for statement, form in policies:
        ident = policy_id(form)
        if ident is None:
            continue
        earlier = first.setdefault(ident, statement)
        if earlier is not statement:
            text = f"the @id is taken by {earlier.file}:{earlier.line}"
            yield statement.problem(text, f'"{ident}"', ident)


def _literals(form: ParsedPolicy, catalog: Catalog) -> Iterator[tuple[str, str, str | None]]:
    names_by_kind = {
        f"{NAMESPACE}::Agent": catalog.agents,
        f"{NAMESPACE}::User": catalog.users,
        f"{NAMESPACE}::Data": dict[str, None](),
    }
    for kind, name in sorted(form.entities):
        if kind in names_by_kind and name not in names_by_kind[kind]:
            noun = kind.rpartition("::")[2].lower()
            hint = nearest(name, names_by_kind[kind])
            yield f"there is no {noun} named {name!r}", f'{kind}::"{name}"', hint


def _annotations(form: ParsedPolicy, ground: LintContext) -> Iterator[tuple[str, str, str | None]]:
    gate = form.annotations.get("gate")
    if gate is not None:
        if form.effect is not PolicyEffect.FORBID:
            yield "a @gate lifts a forbid; this policy permits", "@gate", None
        if gate not in ground.catalog.routes:
            hint = nearest(gate, ground.catalog.routes)
            yield f"no Route is named {gate!r}", f'"{gate}"', hint
    obligation = form.annotations.get("obligation")
    if obligation is not None:
        if form.effect is not PolicyEffect.PERMIT:
            yield "an @obligation belongs to a permit; this policy forbids", "@obligation", None
        if (why := problem(obligation)) is not None:
            yield f"this is no obligation: {why}", f'"{obligation}"', "see docs/reference/obligations.md"
        elif (name := parsed(obligation).argument) is not None and form.effect is PolicyEffect.PERMIT:
            yield from _argument_problems(form, ground, name, obligation)


def _argument_problems(
    form: ParsedPolicy, ground: LintContext, name: str, obligation: str
) -> Iterator[tuple[str, str, str | None]]:
    """What an obligation limits has to be an argument of each tool in scope, or each call of that tool is denied."""
    tools = {action: ground.arguments[action] for action in ground.actions_in_scope(form) if action in ground.arguments}
    if tools and not any(name in known for known in tools.values()):
        hint = nearest(name, frozenset[str]().union(*tools.values()))
        yield f"no tool in its scope has the argument {name!r}", f'"{obligation}"', hint


def _paths(form: ParsedPolicy, in_scope: tuple[str, ...], ground: LintContext) -> Iterator[tuple[str, str, str | None]]:
    """Every path after `has` must exist for some action in scope.

    Where no action is in scope, for some action at all. Agents, users and servers have no
    attributes yet.
    """
    actions = in_scope or tuple(ground.actions)
    for access in sorted(form.accesses, key=lambda access: access.path):
        if not access.has:
            continue
        shown = ".".join((access.root, *access.path))
        if access.root == "context":
            if any(resolves(ground.schema, action, access.path) for action in actions):
                continue
            if unkept := without_monitors(access.path, ground):
                yield unkept, access.path[-1], None
                continue
        missing = f"{shown} does not exist for any action that this policy applies to"
        yield (
            untypable(access.path, actions, ground) or missing,
            access.path[-1],
            detect_first(access.path, actions, ground),
        )


def without_monitors(path: tuple[str, ...], ground: LintContext) -> str | None:
    """Why `path` (below `context`) is not there where it is what monitors say, and there are none."""
    if path[:1] == ("past",) and not ground.catalog.monitors:
        return "context.past is not there: the workspace declares no Monitor"
    return None


def detect_first(path: tuple[str, ...], actions: Iterable[str], ground: LintContext) -> str | None:
    """The hint for `path` where it is the labels of what is sent, and no server in scope looks for any."""
    if path != ("sends",):
        return None
    servers = sorted({ground.servers[action] for action in actions if action in ground.servers})
    return f"write what is looked for, such as `detect_sent: [secret]`, in the Server {' or '.join(servers[:3]) or '…'}"


def untypable(path: tuple[str, ...], actions: Iterable[str], ground: LintContext) -> str | None:
    """Why `path` cannot be read where one of `actions` is a tool without typed `input`."""
    for action in actions:
        if path[:1] == ("input",) and action in ground.untyped:
            return f"tool/untypable: {action} has no input, since {ground.untyped[action]}"
    return None


def _waits(form: ParsedPolicy) -> bool:
    """Whether it is about a kind of tools that any workspace may have: of one that has none yet it says nothing odd."""
    within = form.action.within
    return within is not None and not form.action.exactly and all(name in _KINDS for _, name in within)


def _doubts(form: ParsedPolicy, in_scope: tuple[str, ...], ground: LintContext) -> Iterator[tuple[str, str]]:
    if not in_scope:
        if not _waits(form):
            yield "no action reaches this policy: it never applies", "action"
    elif not any(ground.on(action, form) for action in in_scope):
        yield "no action in its scope has this resource: it never applies", "resource"
    if form.constant:
        yield "a condition looks at nothing, so it is always or never met", "when"
    obligation = form.annotations.get("obligation", "")
    if obligation and problem(obligation) is None:
        for text in _idle(parsed(obligation), in_scope, ground):
            yield text, f'"{obligation}"'


def _idle(obligation: Obligation, in_scope: tuple[str, ...], ground: LintContext) -> Iterator[str]:
    """What of the tools in scope an obligation is not made for."""
    if (name := obligation.argument) is not None:
        lacking = [action for action in in_scope if name not in ground.arguments.get(action, frozenset())]
        if lacking and len(lacking) < len(in_scope):
            yield f"{lacking[0]} has no argument {name!r}, so that each call of it that this permits is denied"
    elif isinstance(obligation, Cover) and obligation.path and in_scope:
        schemas = [ground.outputs.get(action) for action in in_scope]
        if not any(schema is None or may_have(schema, obligation.path) for schema in schemas):
            yield f"by its output schema {in_scope[0]} returns nothing at this path, so that nothing is covered"
