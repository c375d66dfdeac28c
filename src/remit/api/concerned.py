"""Who reads of what acted for others: who decides on some route, of what an incident or an open breaker names.

He is asked to let act again, or not, what he did not ask for: so he may read who did what and why it was denied.
Arguments and values stay with those who decide that very action.
"""

from remit.api.authenticator import Admin, Person
from remit.api.services import Services
from remit.escalate.sitting import member


def decides(services: Services, caller: Person) -> bool:
    """Whether `caller` is one of those whom some route asks."""
    catalog = services.runtime.catalog
    return any(member(route, catalog.users[caller.user]) for route in catalog.routes.values())


async def concerns(services: Services, caller: Admin | Person, record: str) -> bool:
    """Whether `caller` may read of `record`: an incident names it, or a breaker tripped by it and is not closed."""
    if isinstance(caller, Admin):
        return True
    if not decides(services, caller):
        return False
    if any(record in trip.records for *_, trip in services.driver.tripped):
        return True
    return await services.incidents.naming(record) is not None


async def concerns_session(services: Services, caller: Admin | Person, sid: str) -> bool:
    """Whether `caller` may read of session `sid`: an incident names it."""
    if isinstance(caller, Admin):
        return True
    return decides(services, caller) and await services.incidents.of_session(sid) is not None
