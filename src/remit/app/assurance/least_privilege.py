"""`remit policy suggest`: what an agent used, by the ledger; policies for just that, judged by its history."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.frames import kept_of
from remit.app.assurance.ledger_replay import PAGE
from remit.app.assurance.replay import bundle_of
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.history import HistoryReplay
from remit.discover.least import Least, PolicyVocabulary, UsedAction, least, narrowed
from remit.discover.permit_conditions import Carried, carried_by, ways
from remit.discover.usage import ComparableArgument, Scalar, Usage
from remit.facts.action import ActionKind
from remit.facts.catalog import PolicySource
from remit.facts.record import RecordKind, Ref
from remit.pdp.listing import visible_tools
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.destination import ToolForm
from remit.policy.input_types import Atom
from remit.policy.problem import PolicyProblem
from remit.policy.uids import agent_uid, group_uids
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody, Body

FILE: Final = "least.cedar"
DIFFERENCES_MAX: Final = 20
_SCALARS: Final[Mapping[Atom, type[Scalar]]] = {Atom.STRING: str, Atom.LONG: int, Atom.BOOLEAN: bool}


@dataclass(frozen=True, slots=True)
class PolicySuggestion:
    """The suggestion, and how the agent's history comes out by it: `same` of `judged` as they were decided.

    `differences` are some that did not: decision id, what was called, verdict then and now.
    """

    least: Least
    judged: int
    same: int
    differences: tuple[tuple[str, str, str, str], ...]


def suggest_policy(ledger: Path, workspace: Path, agent: str, since_ms: int, since: str) -> PolicySuggestion:
    """Least privilege for `agent` from what it did since then. Raises `CommandFailure`."""
    bundle = bundle_of(workspace)
    if agent not in bundle.catalog.agents:
        raise CommandFailure(
            f"the workspace {workspace} has no agent named {agent}",
            why=f"it has {', '.join(sorted(bundle.catalog.agents)) or 'none'}",
            next=f"name the one that has it: remit policy suggest {agent} --workspace DIR --data DIR",
            exit=Exit.NOT_FOUND,
        )
    by_use: dict[UsedAction, dict[frozenset[str], Usage]] = {}
    for entry, _ in _entries(ledger):
        body = _action_of(entry, agent)
        if body is not None and entry.record.at >= since_ms:
            permitting = frozenset(
                one.policy for one in body.reasons if one.policy is not None and one.agent in {agent, None}
            )
            by_use.setdefault(_use(body), {}).setdefault(permitting, Usage()).add(body.user, _arguments(bundle, body))
    by_action = {use: ways(usages, _inside(bundle, agent, use)) for use, usages in by_use.items()}
    granted = [f"{tool.server}/{tool.name}" for tool in visible_tools(bundle, [agent])]
    tools = {f"{server}/{name}": _comparable(form) for (server, name), form in bundle.tools.items()}
    vocabulary = PolicyVocabulary(tools, bundle.catalog.users)
    suggestion = least(agent, by_action, granted, vocabulary, since)
    compiled = _compile(bundle, agent, suggestion)
    if not isinstance(compiled, Bundle):
        # Conditions of a wide permit may look at what not each of its tools has.
        invalid = {problem.policy_id for problem in compiled if problem.file == FILE and problem.policy_id is not None}
        suggestion = least(agent, by_action, granted, vocabulary, since, invalid)
        compiled = _compile(bundle, agent, suggestion)
    if not isinstance(compiled, Bundle):
        why = "\n        ".join(str(problem) for problem in compiled)
        raise CommandFailure("what was suggested does not validate", why=why, next="report this", exit=Exit.INVALID)
    return _judge(ledger, compiled, agent, since_ms, suggestion)


def _inside(bundle: Bundle, agent: str, use: UsedAction) -> Mapping[str, Carried]:
    """The permits that may let `agent` do it today."""
    tool = bundle.catalog.tools.get((use.server, use.name)) if use.kind is ActionKind.CALL_TOOL else None
    part = bundle.slice(use.kind.value) if tool is None else bundle.slice_of(tool)
    uid, groups = agent_uid(agent), group_uids(bundle.catalog.agents[agent])
    return {
        ident: carried_by(policy)
        for ident, policy in part.policies.items()
        if not policy.forbids and policy.form.principal.matches(uid, groups)
    }


def _compile(bundle: Bundle, agent: str, suggestion: Least) -> Bundle | Sequence[PolicyProblem]:
    """The bundle with what was suggested in place of all that lets `agent` act now."""
    policies = (*narrowed(bundle.catalog.policies, agent), PolicySource(FILE, suggestion.text))
    return compile_bundle(replace(bundle.catalog, policies=policies)).result


def _judge(ledger: Path, suggested_bundle: Bundle, agent: str, since_ms: int, suggestion: Least) -> PolicySuggestion:
    history, judged, same = HistoryReplay(suggested_bundle), 0, 0
    differences: list[tuple[str, str, str, str]] = []
    for entry, body in _entries(ledger):
        ref, record = str(Ref(entry.record.chain, entry.record.seq)), entry.record
        action = history.take(ref, record.at, record.bundle, body, erased=entry.body is None)
        if action is None or action.replayed is None or entry.record.at < since_ms or _action_of(entry, agent) is None:
            continue
        judged += 1
        was, now = str(action.recorded["verdict"]), str(action.replayed["verdict"])
        same += was == now
        if was != now and len(differences) < DIFFERENCES_MAX:
            differences.append((ref, action.tool, was, now))
    return PolicySuggestion(suggestion, judged, same, tuple(differences))


def _action_of(entry: Entry, agent: str) -> ActionBody | None:
    """What `agent` did, or had a part in, by this record."""
    body = entry.body
    if entry.record.kind is not RecordKind.INTENT or not isinstance(body, ActionBody):
        return None
    return body if agent in {link for link, _ in body.links} else None


def _use(body: ActionBody) -> UsedAction:
    return UsedAction(ActionKind(body.kind), body.server, body.name)


def _arguments(bundle: Bundle, body: ActionBody) -> Mapping[str, Scalar | None]:
    """The arguments of a call. `null` is none, and what is secret is not recorded."""
    tool = bundle.catalog.tools.get((body.server, body.name))
    arguments: object = json.loads(body.arguments or b"{}")
    if tool is None or not isinstance(arguments, dict):
        return {}
    return {
        name: value if isinstance(value, str | int) and name not in tool.secrets else None
        for name, value in cast("dict[str, object]", arguments).items()
        if value is not None
    }


def _comparable(form: ToolForm) -> Mapping[str, ComparableArgument]:
    fields = form.record.fields.items()
    return {
        name: ComparableArgument(_SCALARS[declared.type], declared.required and not declared.nullable)
        for name, declared in fields
        if isinstance(declared.type, Atom) and declared.type in _SCALARS
    }


def _entries(ledger: Path) -> Iterator[tuple[Entry, Body | None]]:
    """Every record with what is kept of its body, a page a transaction. Raises `CommandFailure`."""
    if not ledger.is_file():
        next_ = "remit policy suggest AGENT --data DIR"
        raise CommandFailure(f"there is no ledger at {ledger}", next=next_, exit=Exit.NOT_FOUND)
    try:
        with closing(reads.open_readonly(ledger)) as conn:
            after = 0
            while page := reads.stored_after(conn, after, PAGE):
                after = page[-1].id
                for stored in page:
                    entry = reads.entry(stored)
                    yield entry, kept_of(conn, stored) if entry.body is None else entry.body
    except sqlite3.Error as error:
        why, next_ = str(error), f"remit ledger verify {ledger}"
        raise CommandFailure(f"{ledger} cannot be read", why=why, next=next_, exit=Exit.INVALID) from error
