"""The looks at changes of one service: one at a time, the last ones remembered, what came of each on the ledger.

Laws
* A look is of one bundle over another: a folder that changed since, or a bundle that runs since, wants another one.
* Nothing is admitted but what every check passed, or its owner let through by name; what broke off admits nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from remit.adapters.system import SystemEntropy
from remit.api.interfaces.admissions import AdmissionLook, CheckOverride, Stage
from remit.api.services import Conflict, Invalid, Missing
from remit.app.admission.process import Lost, look
from remit.app.admission.request import AdmissionRequest
from remit.app.admission.results import Admitted, CheckResult, refusing
from remit.app.service.runtime import Runtime
from remit.app.settings import LEDGER, Settings
from remit.facts.admission import Admission, AdmissionTerms, Check
from remit.facts.canonical import Json
from remit.facts.durations import HOUR_MS, MINUTE_MS
from remit.ports.ledger import Ledger, LedgerUnwritable
from remit.trace.bodies import Event

KEPT_MAX: Final = 20
"""Looks that are remembered; none outlasts the service."""
GOOD_FOR_MS: Final = HOUR_MS
"""How long a look may be applied: the ledger goes on."""
_AGAIN: Final = "remit apply --admit"


@dataclass(slots=True)
class _Look:
    """One look and the task that makes it; the `fingerprint` of the folder that it was of, which is told to nobody."""

    told: AdmissionLook
    fingerprint: str = ""
    task: asyncio.Task[None] | None = None


class Admissions:
    """Owns the looks of a service. Lives on the event loop."""

    def __init__(self, runtime: Runtime, ledger: Ledger, settings: Settings) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._settings = settings
        self._looks: dict[str, _Look] = {}

    async def admit(self, by: str) -> AdmissionLook:
        """Begin to look at the folder. Raises `Conflict` where one look is at work."""
        sign_offs = dict(await self._ledger.sign_offs())
        # From here to where it is remembered nothing is awaited: there is one at a time.
        for other in self._looks.values():
            if other.told.stage is Stage.LOOKING:
                why = f"{other.told.by} has a look at the workspace under way, {other.told.ident}"
                raise Conflict(why, f"wait for it, or: remit admission cancel {other.told.ident}")
        ident = SystemEntropy().token_bytes(4).hex()
        running = self._runtime.running
        terms = self._terms()
        look = AdmissionLook(ident, by, Stage.LOOKING, self._runtime.clock.now_ms(), running.bundle.digest, terms.owner)
        request = AdmissionRequest(
            self._settings.workspace,
            self._settings.data / LEDGER,
            running.source,
            terms,
            sign_offs,
            self._runtime.clock.now_ms(),
            self._runtime.admitted,
        )
        entry = self._looks[ident] = _Look(look)
        while len(self._looks) > KEPT_MAX:
            del self._looks[next(iter(self._looks))]
        entry.task = asyncio.create_task(self._look(entry, request))
        return look

    def look(self, ident: str) -> AdmissionLook:
        """How far the look `ident` is. Raises `Missing`."""
        return self._of(ident).told

    async def abandon(self, ident: str) -> AdmissionLook:
        """End the look `ident`. Raises `Missing`."""
        entry = self._of(ident)
        if entry.task is not None and not entry.task.done():
            entry.task.cancel()
            await asyncio.wait({entry.task})
        return entry.told

    async def let_through(self, ident: str, checks: Sequence[Check], by: str, why: str) -> AdmissionLook:
        """Have its owner let through what `checks` refused. Raises `Missing`, `Conflict`."""
        entry = self._of(ident)
        look = entry.told
        if look.stage is not Stage.REFUSED:
            raise Conflict(f"{ident} is {look.stage.value}: it refuses nothing", f"remit admission show {ident}")
        unrefused = [check.value for check in checks if check not in look.refused]
        if unrefused:
            names = ", ".join(check.value for check in look.refused)
            raise Conflict(f"{unrefused[0]} did not refuse, but {names}", f"remit admission show {ident}")
        # What is not on the ledger counts for nothing.
        data: dict[str, Json] = {"look": ident, "checks": [check.value for check in checks], "why": why}
        await self._runtime.record(Event.ADMISSION_OVERRIDDEN, by, look.bundle or "", data)
        override = CheckOverride(tuple(checks), by, why, self._runtime.clock.now_ms())
        look = replace(entry.told, overridden=(*entry.told.overridden, override))
        entry.told = look if _unsettled(look) else replace(look, stage=Stage.ADMITTED)
        return entry.told

    def through(self, ident: str) -> Admitted:
        """What the look `ident` admits. Raises `Missing`, `Conflict`."""
        entry = self._of(ident)
        look = entry.told
        if look.stage is not Stage.ADMITTED or look.bundle is None:
            unsettled = _unsettled(look)
            refused = f": {', '.join(check.value for check in unsettled)} refused" if unsettled else ""
            raise Conflict(f"{ident} is {look.stage.value}{refused}", f"remit admission show {ident}")
        if self._runtime.clock.now_ms() - look.since_ms > GOOD_FOR_MS:
            raise Conflict(f"{ident} began more than {GOOD_FOR_MS // MINUTE_MS} minutes ago", _AGAIN)
        by: list[Json] = [f"user:{check.by}" for check in look.overridden]
        data: dict[str, Json] = {"admitted": ident, **({"overridden_by": by} if by else {})}
        return Admitted(look.bundle, look.base, entry.fingerprint, data)

    def _of(self, ident: str) -> _Look:
        entry = self._looks.get(ident)
        if entry is None:
            since = f"the last {KEPT_MAX} since it started"
            raise Missing(f"no look at a change is called {ident[:64]!r}: the service remembers {since}", _AGAIN)
        return entry

    def _terms(self) -> AdmissionTerms:
        """Those that run; where none do, nobody answers, and what fails is not let through."""
        running: Admission | None = self._runtime.bundle.catalog.admission
        return AdmissionTerms("") if running is None else running.terms

    async def _look(self, entry: _Look, request: AdmissionRequest) -> None:
        def report(check: str) -> None:
            entry.told = replace(entry.told, at=check)

        stage, why = Stage.BROKEN, "it broke off"
        try:
            result = await look(request, report)
            entry.fingerprint = result.fingerprint
            await self._record_end(entry, result.digest, result.checks)
        except asyncio.CancelledError:
            stage, why = Stage.CANCELLED, ""
        except Invalid as invalid:
            why = "\n".join(invalid.problems)
        except (Lost, LedgerUnwritable) as error:
            why = str(error)
        finally:
            # However it ended: what is not told to be admitted is not.
            if entry.told.stage is Stage.LOOKING:
                entry.told = replace(entry.told, stage=stage, at=None, why=why or None)

    async def _record_end(self, entry: _Look, digest: str, results: Sequence[CheckResult]) -> None:
        refused = refusing(results)
        checks = tuple(check.to_json() for check in results)
        stage = Stage.REFUSED if refused else Stage.ADMITTED
        recorded_checks: list[Json] = [dict(check) for check in checks]
        data: dict[str, Json] = {"look": entry.told.ident, "base": entry.told.base, "stage": stage.value}
        data["checks"] = recorded_checks
        await self._runtime.record(Event.ADMISSION, entry.told.by, digest, data)
        entry.told = replace(entry.told, stage=stage, at=None, bundle=digest, checks=checks, refused=refused)


def _unsettled(look: AdmissionLook) -> tuple[Check, ...]:
    """What refused, and nobody let through."""
    through = {check for one in look.overridden for check in one.checks}
    return tuple(one for one in look.refused if one not in through)
