"""What does not run: nobody declared it, or the folder that declares it was not applied since."""

from remit.api.problem import Problem, not_found
from remit.api.services import Services
from remit.control.problems import did_you_mean
from remit.control.resources import ResourceKind
from remit.control.tables import plural


async def missing_resource(services: Services, kind: ResourceKind, name: str) -> Problem:
    """404: no `kind` called `name` runs; where the workspace folder declares one, that it waits for an apply."""
    noun = kind.value.lower()
    applying = await services.runtime.waits(kind, name)
    if applying is None:
        what = f"{noun} in the running bundle: {name}"
        return not_found(what, f"remit get {plural(kind)}", near=near_resource(services, kind, name))
    why = "the workspace folder declares it, and was not applied since"
    return Problem(404, f"the {noun} {name} does not run", why=why, next=applying)


def near_resource(services: Services, kind: ResourceKind, name: str) -> str:
    """`did you mean 'x'?` where a `kind` of nearly that name runs, else empty."""
    return did_you_mean(name, [item.name for item in services.runtime.resources(kind.value)])
