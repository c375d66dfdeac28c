"""Whether there are enough people for a route; where it asks for a passkey, where that can be and who has one."""

from collections.abc import Collection, Mapping
from math import inf
from typing import Final

from remit.control.problems import ProblemSeverity, WorkspaceProblem
from remit.control.resources import Resource, RouteSpec, WorkspaceSource
from remit.control.servers import people_problems
from remit.escalate.eligibility import member, routes_asked
from remit.facts.agent import User
from remit.facts.catalog import Catalog, Route
from remit.ports.ledger import Ledger
from remit.ports.passkeys import Passkeys

UNCONFIRMED: Final = "route/unconfirmed"
_WHY: Final = "whoever waits there waits until it expires"


def understaffed_routes(source: WorkspaceSource, catalog: Catalog) -> tuple[WorkspaceProblem, ...]:
    """A warning for each route of `source` that has too few people by itself."""
    problems: list[WorkspaceProblem] = []
    for resource in source.resources:
        if isinstance(resource.spec, RouteSpec) and (route := catalog.routes.get(resource.name)) is not None:
            people = [user.who for user in catalog.users.values() if member(route, user)]
            problems += people_problems(resource, resource.spec, people)
    return tuple(problems)


async def unconfirmable(
    source: WorkspaceSource, catalog: Catalog, ledger: Ledger, passkeys: Passkeys
) -> tuple[WorkspaceProblem, ...]:
    """A warning for each strong route of `source` by which nobody, or not enough people, could say yes."""
    strong = [
        resource for resource in source.resources if isinstance(resource.spec, RouteSpec) and resource.spec.strong
    ]
    if not strong:
        return ()
    if not passkeys.holder:
        return tuple(_nowhere(resource, passkeys.origin) for resource in strong)
    keyed = {resource.user for resource in await ledger.passkeys()}
    problems = (_few(resource, catalog.routes, catalog.users, keyed) for resource in strong)
    return tuple(resource for resource in problems if resource is not None)


def _nowhere(resource: Resource, origin: str) -> WorkspaceProblem:
    what = f"route {resource.name[:64]!r} is strong, and no passkey can be at {origin}: neither https nor localhost"
    return _warning(resource, what, "remit up --public-url https://NAME")


def _few(
    resource: Resource, routes: Mapping[str, Route], users: Mapping[str, User], keyed: Collection[str]
) -> WorkspaceProblem | None:
    chain = list(routes_asked(resource.name, routes, inf))
    people = [user for user in users.values() if any(member(route, user) for route in chain)]
    able = {user.who for user in people if user.name in keyed}
    count = routes[resource.name].count
    if len(able) >= count:
        return None
    have = f"{len(able)} of its {len({user.who for user in people})} people have a passkey"
    what = f"route {resource.name[:64]!r} is strong and takes {count}, and {have}"
    missing = sorted(user.name for user in people if user.who not in able)
    return _warning(resource, what, f"remit passkeys invite {missing[0] if missing else 'USER'}")


def _warning(resource: Resource, what: str, following: str) -> WorkspaceProblem:
    return WorkspaceProblem(
        UNCONFIRMED, resource.at("spec.strong"), what, _WHY, next=following, severity=ProblemSeverity.WARNING
    )
