"""What does not run: nobody declared it, or the folder that declares it was not applied since."""

from remit.api.problem import Problem, not_found
from remit.api.services import Services
from remit.control.resources import ResourceKind


async def missing_resource(services: Services, kind: ResourceKind, name: str) -> Problem:
    """404: no `kind` called `name` runs; where the workspace folder declares one, that it waits for an apply."""
    noun = kind.value.lower()
    applying = await services.runtime.waits(kind, name)
    if applying is None:
        plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
        return not_found(f"{noun} in the running bundle: {name}", f"remit get {plural}")
    why = "the workspace folder declares it, and was not applied since"
    return Problem(404, f"the {noun} {name} does not run", why=why, next=applying)
