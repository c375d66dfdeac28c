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


def crowded_out(source: WorkspaceSource, catalog: Catalog) -> tuple[WorkspaceProblem, ...]:
    """A warning for each route of `source` that has too few people by itself."""
    found: list[WorkspaceProblem] = []
    for one in source.resources:
        if isinstance(one.spec, RouteSpec) and (route := catalog.routes.get(one.name)) is not None:
            people = [user.who for user in catalog.users.values() if member(route, user)]
            found += people_problems(one, one.spec, people)
    return tuple(found)


async def unconfirmed(
    source: WorkspaceSource, catalog: Catalog, ledger: Ledger, passkeys: Passkeys
) -> tuple[WorkspaceProblem, ...]:
    """A warning for each strong route of `source` by which nobody, or not enough people, could say yes."""
    strong = [one for one in source.resources if isinstance(one.spec, RouteSpec) and one.spec.strong]
    if not strong:
        return ()
    if not passkeys.holder:
        return tuple(_nowhere(one, passkeys.origin) for one in strong)
    keyed = {one.user for one in await ledger.passkeys()}
    found = (_few(one, catalog.routes, catalog.users, keyed) for one in strong)
    return tuple(one for one in found if one is not None)


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
