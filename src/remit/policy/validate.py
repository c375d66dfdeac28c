"""Cedar's own verdict on a policy, said with file, line, the offending words and a hint.

cedarpy answers in sentences without positions and once per action; this finds the words in
the text, says each thing once, and tells a misspelling from what is not there yet.
"""

import re
from collections.abc import Iterator
from typing import Final

from remit.facts.finding import finds_of
from remit.facts.text import escaped
from remit.policy import cedar, mistakes
from remit.policy.form import ParsedPolicy
from remit.policy.lint import LintContext, detect_first, policy_id, untypable, without_monitors
from remit.policy.parse import Statement
from remit.policy.problem import PolicyProblem, nearest
from remit.policy.schema import NAMESPACE, attributes, names_of, resolves

_PREFIX: Final = re.compile(r"^(for policy `policy\d+`[:,] |Policy parse error: )")
_ENUM: Final = re.compile(r"entity `([\w:]+)::\"(.*)\"` is of an enumerated entity type", re.DOTALL)
_ACTION: Final = re.compile(r"unrecognized action `([\w:]*)Action::\"(.*)\"`", re.DOTALL)
_MISSING: Final = re.compile(r"attribute `(.+)` in context for [\w:]*Action::\"(.+)\" not found", re.DOTALL)
_OPTIONAL: Final = re.compile(r".* access to optional attribute `(.+)` in context for", re.DOTALL)
_NO_ACTION: Final = "unable to find an applicable action"
_QUOTED: Final = re.compile(r"`([^`]+)`")


def syntax(statement: Statement, message: str) -> PolicyProblem:
    """A statement that is no policy: cedarpy's message, at the words it names."""
    if message == "unexpected end of input":
        return statement.problem("this policy does not end: a `;` or a bracket is missing")
    text = _PREFIX.sub("", message)
    quoted = _QUOTED.search(text)
    words = quoted[1] if quoted else text.rpartition(": ")[2]
    return statement.problem(escaped(text, chars_max=300), words, hint=mistakes.in_syntax(statement, text))


def problems(
    statement: Statement, form: ParsedPolicy, ground: LintContext, schema: cedar.Schema
) -> tuple[PolicyProblem, ...]:
    """Why `statement` is not valid for `schema`; none where it is.

    A policy that no action reaches is no error (the linter warns): rules may be written
    before the tools they are for.
    """
    errors = cedar.validation_errors(statement.text, schema)
    messages = [_PREFIX.sub("", error) for error in errors]
    return tuple(_explain(messages, statement, form, ground))


def _explain(
    messages: list[str], statement: Statement, form: ParsedPolicy, ground: LintContext
) -> Iterator[PolicyProblem]:
    ident = policy_id(form)
    unknown_action = any(_ACTION.match(message) for message in messages)
    odd_kinds = [kind for message in messages if (kind := mistakes.unknown_type(message, statement, ground))]
    missing: dict[str, list[str]] = {}
    type_mistakes = mistakes.in_types(messages, statement, ground.actions_in_scope(form), ground)
    for mistake in (*odd_kinds, *type_mistakes):
        yield statement.problem(mistake.text, mistake.words, ident, mistake.hint)
    for message in messages:
        if match := _ENUM.match(message):
            kind, name = match[1], match[2]
            noun = kind.rpartition("::")[2]
            near = nearest(name, names_of(ground.schema, "entityTypes", noun))
            hint = (_detect_first(name) if noun == "Label" else None) or near
            words = f'{kind}::"{name}"'
            yield statement.problem(f'there is no {noun.lower()} "{name}"', words, ident, hint)
        elif match := _ACTION.match(message):
            prefix, name = match.groups()
            names = names_of(ground.schema, "actions")
            hint = nearest(name, names) or _accept_first(name, names)
            if prefix == f"{NAMESPACE}::":
                words = f'{prefix}Action::"{name}"'
                yield statement.problem(f'there is no action "{name}"', words, ident, hint)
            else:
                mistake = mistakes.unnamed_action(prefix, name, hint, ground)
                yield statement.problem(mistake.text, mistake.words, ident, mistake.hint)
        elif match := _MISSING.match(message):
            missing.setdefault(match[1], []).append(match[2])
        elif match := _OPTIONAL.match(message):
            text = f"context.{match[1]} may be absent"
            yield statement.problem(text, match[1], ident, _ask_first(match[1]))
        elif _NO_ACTION in message:
            if ground.actions_in_scope(form) and not unknown_action and not odd_kinds:
                text = "no action takes such a principal and resource"
                yield statement.problem(text, "principal", ident)
        elif mistake := mistakes.no_decimal(message):
            yield statement.problem(mistake.text, mistake.words, ident, mistake.hint)
        elif (
            not (type_mistakes and mistakes.of_types(message))
            and mistakes.unknown_type(message, statement, ground) is None
        ):
            quoted, hint = _QUOTED.search(message), mistakes.of_decimals(message)
            yield statement.problem(escaped(message), quoted[1] if quoted else "", ident, hint)
    if unknown_action:
        # Cedar then judges as if every action were meant: what those lack says nothing of the one that is.
        return
    for path, actions in missing.items():
        yield _absent(statement, ident, tuple(path.split(".")), sorted(actions), ground)


def _absent(
    statement: Statement,
    ident: str | None,
    path: tuple[str, ...],
    actions: list[str],
    ground: LintContext,
) -> PolicyProblem:
    """An attribute that some action in scope does not have."""
    if unkept := without_monitors(path, ground):
        return statement.problem(unkept, ".".join(path), ident)
    words = next((w for w in (".".join(path), path[-1]) if w in statement.text), "")
    if untyped := untypable(path, actions, ground):
        return statement.problem(untyped, words, ident)
    others = f" and {len(actions) - 1} other actions" if len(actions) > 1 else ""
    text = f"{'.'.join(('context', *path))} does not exist for {actions[0]}{others}"
    if undetected := detect_first(path, actions, ground):
        hint = undetected
    elif any(resolves(ground.schema, action, path) for action in ground.actions):
        hint = f"{_ask_first('.'.join(path))}, or narrow the scope"
    else:
        hint = nearest(path[-1], attributes(ground.schema, actions[0], path[:-1]))
    return statement.problem(text, words, ident, hint)


def _detect_first(label: str) -> str | None:
    if not (finds := finds_of(label)):
        return None
    listed = f"[{', '.join(finds)}]"
    return (
        f"write `detect: {listed}` in the Server that says such things, or `detect_sent: {listed}` where they are sent"
    )


def _accept_first(action: str, names: tuple[str, ...]) -> str | None:
    server, parted, _ = action.partition("___")
    if not parted or f"server:{server}" not in names:
        return None
    return f"a tool's action begins with its acceptance: `remit tools review {server}`"


def _ask_first(path: str) -> str:
    return f"ask for it first: `context has {path} && …`"
