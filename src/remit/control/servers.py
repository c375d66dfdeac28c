"""Server and Route resources to what the catalog holds, with what is wrong about them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from remit.control.credentials import LOOPBACK, VARIABLE, credential_problems, secret_problems
from remit.control.names import label_problems, refer
from remit.control.problems import ProblemSeverity, WorkspaceProblem
from remit.control.resources import Resource, ResourceKind, RouteSpec, ServerSpec
from remit.facts.catalog import NAME, Http, Route, Server, Stdio
from remit.facts.label import closed
from remit.facts.tool import UNCATALOGUED_SOURCE

VERIFY_S_MAX: Final = 3600.0
CALL_S_MAX: Final = 3600.0
HOLD_S_MAX: Final = 3600.0
EXPIRES_S_MAX: Final = 30 * 86400.0
COUNT_MAX: Final = 20
ERASURE: Final = "erasure"
"""The route that lifts no gate: one of its people erases, and where there is none nobody does."""


def server_of(resource: Resource, spec: ServerSpec) -> tuple[Server | None, list[WorkspaceProblem]]:
    """The server declared by `resource`; None where its transport cannot be told."""
    problems = _numbers(
        resource,
        ("verify_s", spec.verify_s, 0.0, VERIFY_S_MAX),
        ("call_s", spec.call_s, 0.001, CALL_S_MAX),
    )
    if (spec.command is None) == (spec.url is None):
        said = "neither" if spec.command is None else "both"
        what = f"a server has a command or a url, and {resource.name[:64]!r} has {said}"
        return None, [*problems, WorkspaceProblem("server/transport", resource.at("spec"), what)]
    if spec.command is not None:
        problems += _command_problems(resource, spec)
        env = MappingProxyType(dict(spec.env))
        transport: Stdio | Http = Stdio(spec.command, env, spec.cwd)
    else:
        problems += _url_problems(resource, spec)
        problems += credential_problems(resource, spec)
        transport = Http(spec.url or "", MappingProxyType(dict(spec.headers)), spec.oauth, spec.private)
    problems += label_problems(resource, spec.source)
    source = UNCATALOGUED_SOURCE if spec.source is None else closed(spec.source)
    detects = spec.detects, spec.sink, spec.detects_sent
    server = Server(resource.name, transport, spec.shared, spec.verify_s, spec.call_s, source, *detects)
    return server, problems


def route_of(resource: Resource, spec: RouteSpec, voters: Iterable[str]) -> tuple[Route, list[WorkspaceProblem]]:
    """The route declared by `resource`; `voters` are the users who may decide on it."""
    problems = _numbers(
        resource,
        ("count", spec.count, 1, COUNT_MAX),
        ("hold_s", spec.hold_s, 0.0, HOLD_S_MAX),
        ("expires_s", spec.expires_s, 1.0, EXPIRES_S_MAX),
        ("next_after_s", spec.next_after_s, 0.0, EXPIRES_S_MAX),
    )
    problems += _channel_problems(resource, spec)
    if spec.distinct_groups and (spec.users or len(set(spec.groups)) < spec.count):
        problems.append(
            WorkspaceProblem(
                "route/groups",
                resource.at("spec.distinct_groups"),
                f"route {resource.name[:64]!r} wants {spec.count} people of different groups",
                f"it names {len(set(spec.groups))} groups, and {len(spec.users)} users beside them",
                next="name at least count groups and no users, then run: remit diff",
            )
        )
    if not spec.groups and not spec.users:
        problems.append(
            WorkspaceProblem(
                "route/nobody",
                resource.at("spec"),
                f"route {resource.name[:64]!r} names neither groups nor users",
                "nobody could decide, and every gate on it would wait until it expires",
                next="add groups or users, then run: remit diff",
            )
        )
    problems += people_problems(resource, spec, voters)
    route = Route(
        resource.name,
        frozenset(spec.groups),
        frozenset(spec.users),
        spec.count,
        spec.hold_s,
        spec.expires_s,
        spec.requester_may_approve,
        spec.shared,
        spec.distinct_groups,
        spec.next,
        spec.next_after_s,
        tuple(dict.fromkeys(spec.channels)),
        spec.edits,
        spec.strong,
        frozenset(spec.break_glass),
    )
    return route, problems


def people_problems(resource: Resource, spec: RouteSpec, voters: Iterable[str]) -> list[WorkspaceProblem]:
    """A warning where the `voters`, each a human, are too few, or enough only while each of them may decide."""
    voter_count, people = len(set(voters)), "1 person" if spec.count == 1 else f"{spec.count} people"
    what = f"route {resource.name[:64]!r} wants {people}"
    if not spec.groups and not spec.users:
        return []
    if voter_count < spec.count:
        code, what, stuck = "route/too-few", f"{what}, and {voter_count} may decide", "every gate on it"
        next_step = "add users to its groups, or lower count, then run: remit diff"
    elif (
        voter_count == spec.count and resource.name != ERASURE and not spec.requester_may_approve and spec.next is None
    ):
        code, what = "route/requester", f"{what}, and no more may decide"
        whose, lower = ("him", "") if spec.count == 1 else ("one of them", "lower count, ")
        stuck = f"what is asked on behalf of {whose}, or while he is away or halted,"
        next_step = (
            f"add a user to its groups, {lower}name a next route, or say requester_may_approve, then run: remit diff"
        )
    else:
        return []
    waits = f"{stuck} would wait until it expires"
    return [
        WorkspaceProblem(code, resource.at("spec.count"), what, waits, next=next_step, severity=ProblemSeverity.WARNING)
    ]


def next_problems(resource: Resource, spec: RouteSpec, specs: Mapping[str, RouteSpec]) -> list[WorkspaceProblem]:
    """What is wrong with who is asked next: a route that is not declared, or one that leads back."""
    if spec.next is None:
        return []
    visited, name = {resource.name}, spec.next
    while name not in visited:
        visited.add(name)
        next_spec = specs.get(name)
        if next_spec is None:
            return refer(resource, "spec.next", (spec.next,), specs, ResourceKind.ROUTE)
        if next_spec.next is None:
            return []
        name = next_spec.next
    return [
        WorkspaceProblem(
            "route/next",
            resource.at("spec.next"),
            f"next of route {resource.name[:64]!r} leads back to {name[:64]!r}",
            "nobody else would be asked when its own people do not decide",
            next="name another route, or leave next out, then run: remit diff",
        )
    ]


def _channel_problems(resource: Resource, spec: RouteSpec) -> list[WorkspaceProblem]:
    return [
        WorkspaceProblem(
            "name/malformed",
            resource.at(f"spec.channels.{at}"),
            f"{name[:128]!r} does not name a channel: letters, digits and . _ @ - after the first, 63 at most",
        )
        for at, name in enumerate(spec.channels)
        if not NAME.fullmatch(name)
    ]


def _command_problems(resource: Resource, spec: ServerSpec) -> list[WorkspaceProblem]:
    problems: list[WorkspaceProblem] = []
    words = spec.command or ()
    if not words or not words[0]:
        what = "a command starts with a program"
        problems.append(WorkspaceProblem("server/command", resource.at("spec.command"), what))
    plain = [value for value in spec.env.values() if isinstance(value, str)]
    if any("\0" in word for word in (*words, *plain, spec.cwd or "")):
        what = "command, env and cwd cannot hold a NUL character"
        problems.append(WorkspaceProblem("server/command", resource.at("spec.command"), what))
    problems.extend(
        WorkspaceProblem(
            "server/env",
            resource.at(f"spec.env.{name}"),
            f"{name[:64]!r} cannot name an environment variable",
            hint="letters, digits and _, no digit first",
        )
        for name in spec.env
        if not VARIABLE.fullmatch(name)
    )
    for name, value in spec.env.items():
        if not isinstance(value, str):
            problems += secret_problems(resource, f"spec.env.{name}", value)
    if spec.headers or spec.oauth is not None or spec.private:
        what = "headers, oauth and private go with url, not with command"
        problems.append(WorkspaceProblem("server/transport", resource.at("spec"), what, hint="give secrets in env"))
    return problems


def _url_problems(resource: Resource, spec: ServerSpec) -> list[WorkspaceProblem]:
    where = resource.at("spec.url")
    problems: list[WorkspaceProblem] = []
    if spec.env or spec.cwd is not None:
        what = "env and cwd go with command, not with url"
        problems.append(WorkspaceProblem("server/transport", resource.at("spec"), what))
    try:
        parts = urlsplit(spec.url or "")
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return [*problems, WorkspaceProblem("server/url", where, f"the url cannot be read: {error}"[:200])]
    if parts.scheme not in {"http", "https"} or not host:
        what = "the url is not one of http or https with a host"
        problems.append(WorkspaceProblem("server/url", where, what))
    elif parts.username is not None or parts.fragment:
        what = "the url holds a user, a password or a fragment"
        why = "resources are shown to people and kept in version control"
        problems.append(WorkspaceProblem("server/url", where, what, why))
    elif parts.scheme == "http" and host not in LOOPBACK:
        what = f"{resource.name[:64]!r} is reached over plain http"
        why = "anyone on the way can read and change calls and results"
        problems.append(WorkspaceProblem("server/url", where, what, why, severity=ProblemSeverity.WARNING))
    return problems


def _numbers(resource: Resource, *limits: tuple[str, float, float, float]) -> list[WorkspaceProblem]:
    return [
        WorkspaceProblem(
            "limit/number",
            resource.at(f"spec.{name}"),
            f"{name} is {value:g}, and must lie between {low:g} and {high:g}",
        )
        for name, value, low, high in limits
        if not low <= value <= high
    ]
