"""The policies of a catalog, read and checked one by one, and what is remembered of that.

Laws
* Each policy is a step of its own, after which somebody else may have a turn: thousands take seconds.
* What is remembered spares work and decides nothing: a policy counts as read by its text, as validated by its text and
  the schema, as plain (the linter has nothing to say) by its text and all that the linter looks at. Whatever has a
  problem, or a warning, is checked again each time.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from remit.facts.canonical import Json, canonical
from remit.facts.catalog import PolicySource
from remit.policy import cedar, validate
from remit.policy.form import ParsedPolicy, UnreadablePolicy, form_of
from remit.policy.lint import NONE, LintContext, lint
from remit.policy.parse import Statement, split
from remit.policy.problem import PolicyProblem

CheckProgress: TypeAlias = Callable[[int, int], None]
"""Called after each step, with the policies that are checked and how many there are."""


def unwatched(_done: int, _total: int) -> None:
    """Nobody is told, and nobody has a turn."""


@dataclass(frozen=True, slots=True)
class CheckCache:
    """What earlier compilations found, from a cache that nobody else can write to.

    `forms` are the policies that could be read, by text; `validated` the keys of those that are valid, `plain` of
    those of which the linter says nothing.
    """

    forms: Mapping[str, ParsedPolicy] = field(default_factory=lambda: MappingProxyType({}))
    validated: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()


NOTHING = CheckCache()


@dataclass(frozen=True, slots=True)
class Checked:
    """The policies as read, in the order of files and lines, all that is wrong or odd, and what to remember of them."""

    parsed: tuple[tuple[Statement, ParsedPolicy], ...]
    errors: tuple[PolicyProblem, ...]
    warnings: tuple[PolicyProblem, ...]
    memory: CheckCache


def schema_digest(schema: Json) -> str:
    """What a schema is remembered by."""
    return hashlib.sha256(canonical(schema)).hexdigest()


def check(
    sources: Iterable[PolicySource],
    ground: LintContext,
    schema: cedar.Schema,
    memory: CheckCache = NOTHING,
    progress: CheckProgress = unwatched,
) -> Checked:
    """Read `sources` and check them against `ground`, of which `schema` is the handle."""
    statements: list[Statement] = []
    errors: list[PolicyProblem] = []
    warnings: list[PolicyProblem] = []
    for source in sources:
        parts, wrong = split(source)
        statements.extend(parts)
        errors.extend(wrong)
    parsed: list[tuple[Statement, ParsedPolicy]] = []
    for statement in statements:
        form = _form(statement, memory)
        progress(0, len(statements))
        if isinstance(form, ParsedPolicy):
            parsed.append((statement, form))
        else:
            errors.append(form)
    validated: set[str] = set()
    plain: set[str] = set()
    for_schema = schema_digest(ground.schema)
    for_lint = _ground_digest(ground, for_schema)
    for done, (statement, form) in enumerate(parsed, 1):
        key = _key(for_lint, statement)
        findings = NONE if key in memory.plain else lint(statement, form, ground)
        errors.extend(findings.errors)
        warnings.extend(findings.warnings)
        if findings == NONE:
            plain.add(key)
        key = _key(for_schema, statement)
        problems = () if key in memory.validated else validate.problems(statement, form, ground, schema)
        errors.extend(problems)
        if not problems:
            validated.add(key)
        progress(done, len(parsed))
    forms = {statement.text: form for statement, form in parsed}
    return Checked(
        tuple(parsed), tuple(errors), tuple(warnings), CheckCache(forms, frozenset(validated), frozenset(plain))
    )


def _form(statement: Statement, memory: CheckCache) -> ParsedPolicy | PolicyProblem:
    form = memory.forms.get(statement.text)
    if form is not None:
        return form
    try:
        return form_of(statement)
    except UnreadablePolicy as error:
        return validate.syntax(statement, str(error))


def _key(ground: str, statement: Statement) -> str:
    return hashlib.sha256(f"{ground}\n{statement.text}".encode()).hexdigest()


def _ground_digest(ground: LintContext, schema: str) -> str:
    """Over all that the linter looks at besides the policy."""
    catalog = ground.catalog
    described: Json = {
        "schema": schema,
        "agents": sorted(catalog.agents),
        "users": sorted(catalog.users),
        "routes": sorted(catalog.routes),
        "actions": {name: sorted(groups) for name, groups in ground.actions.items()},
        "servers": dict(ground.servers),
        "untyped": dict(ground.untyped),
        "outputs": {tool.exposed: tool.pin for tool in catalog.tools.values() if tool.exposed in ground.outputs},
    }
    return hashlib.sha256(canonical(described)).hexdigest()
