"""What the control API needs of incidents, as an interface that `app` fills. Light to import."""

from collections.abc import Sequence
from typing import Protocol

from remit.protect.incidents import Incident, IncidentState, Resolution


class IncidentControl(Protocol):
    """The incidents of the running service. `assign` and `end` raise `KeyError` and `IncidentOver`."""

    async def changed_after(self, after: tuple[int, str], limit: int) -> Sequence[Incident]:
        """Those that changed after that moment, or in it and have a later name, the first changed first."""
        ...

    async def in_states(self, states: Sequence[IncidentState], limit: int) -> Sequence[Incident]:
        """Incidents in one of `states`, the last changed first."""
        ...

    async def find(self, ident: str) -> Incident | None:
        """The incident `ident`."""
        ...

    async def of_record(self, record: str) -> Incident | None:
        """The last changed one that names `record`."""
        ...

    async def of_session(self, sid: str) -> Incident | None:
        """The last changed one that names session `sid`."""
        ...

    async def assign(self, ident: str, to: str, by: str) -> Incident:
        """Give it to `to`."""
        ...

    async def end(self, ident: str, resolution: Resolution, note: str, by: str) -> Incident:
        """Close it."""
        ...
