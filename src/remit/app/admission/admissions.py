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
from remit.api.interfaces.admissions import Looked, Overridden, Stage
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

    told: Looked
    fingerprint: str = ""
    task: asyncio.Task[None] | None = None


class Admissions:
    """Owns the looks of a service. Lives on the event loop."""

    def __init__(self, runtime: Runtime, ledger: Ledger, settings: Settings) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._settings = settings
        self._looks: dict[str, _Look] = {}

    async def admit(self, by: str) -> Looked:
        """Begin to look at the folder. Raises `Conflict` where one look is at work."""
        signed = dict(await self._ledger.signed_off())
        # From here to where it is remembered nothing is awaited: there is one at a time.
        for other in self._looks.values():
            if other.told.stage is Stage.LOOKING:
                why = f"{other.told.by} has a look at the workspace under way, {other.told.ident}"
                raise Conflict(why, f"wait for it, or: remit admission cancel {other.told.ident}")
        ident = SystemEntropy().token_bytes(4).hex()
        running = self._runtime.running
        terms = self._terms()
        told = Looked(ident, by, Stage.LOOKING, self._runtime.clock.now_ms(), running.bundle.digest, terms.owner)
        asked = AdmissionRequest(
            self._settings.workspace,
            self._settings.data / LEDGER,
            running.source,
            terms,
            signed,
            self._runtime.clock.now_ms(),
            self._runtime.admitted,
        )
        made = self._looks[ident] = _Look(told)
        while len(self._looks) > KEPT_MAX:
            del self._looks[next(iter(self._looks))]
        made.task = asyncio.create_task(self._look(made, asked))
        return told

    def looked(self, ident: str) -> Looked:
        """How far the look `ident` is. Raises `Missing`."""
        return self._of(ident).told

    async def abandon(self, ident: str) -> Looked:
        """End the look `ident`. Raises `Missing`."""
        found = self._of(ident)
        if found.task is not None and not found.task.done():
            found.task.cancel()
            await asyncio.wait({found.task})
        return found.told

    async def let_through(self, ident: str, checks: Sequence[Check], by: str, why: str) -> Looked:
        """Have its owner let through what `checks` refused. Raises `Missing`, `Conflict`."""
        found = self._of(ident)
        told = found.told
        if told.stage is not Stage.REFUSED:
            raise Conflict(f"{ident} is {told.stage.value}: it refuses nothing", f"remit admission show {ident}")
        odd = [one.value for one in checks if one not in told.refused]
        if odd:
            names = ", ".join(one.value for one in told.refused)
            raise Conflict(f"{odd[0]} did not refuse, but {names}", f"remit admission show {ident}")
        # What is not on the ledger counts for nothing.
        data: dict[str, Json] = {"look": ident, "checks": [one.value for one in checks], "why": why}
        await self._runtime.record(Event.ADMISSION_OVERRIDDEN, by, told.bundle or "", data)
        given = Overridden(tuple(checks), by, why, self._runtime.clock.now_ms())
        told = replace(found.told, overridden=(*found.told.overridden, given))
        found.told = told if _left(told) else replace(told, stage=Stage.ADMITTED)
        return found.told

    def through(self, ident: str) -> Admitted:
        """What the look `ident` admits. Raises `Missing`, `Conflict`."""
        found = self._of(ident)
        told = found.told
        if told.stage is not Stage.ADMITTED or told.bundle is None:
            left = _left(told)
            refused = f": {', '.join(one.value for one in left)} refused" if left else ""
            raise Conflict(f"{ident} is {told.stage.value}{refused}", f"remit admission show {ident}")
        if self._runtime.clock.now_ms() - told.since_ms > GOOD_FOR_MS:
            raise Conflict(f"{ident} began more than {GOOD_FOR_MS // MINUTE_MS} minutes ago", _AGAIN)
        by: list[Json] = [f"user:{one.by}" for one in told.overridden]
        data: dict[str, Json] = {"admitted": ident, **({"overridden_by": by} if by else {})}
        return Admitted(told.bundle, told.base, found.fingerprint, data)

    def _of(self, ident: str) -> _Look:
        found = self._looks.get(ident)
        if found is None:
            since = f"the last {KEPT_MAX} since it started"
            raise Missing(f"no look at a change is called {ident[:64]!r}: the service remembers {since}", _AGAIN)
        return found

    def _terms(self) -> AdmissionTerms:
        """Those that run; where none do, nobody answers, and what fails is not let through."""
        running: Admission | None = self._runtime.bundle.catalog.admission
        return AdmissionTerms("") if running is None else running.terms

    async def _look(self, made: _Look, asked: AdmissionRequest) -> None:
        def said(check: str) -> None:
            made.told = replace(made.told, at=check)

        stage, why = Stage.BROKEN, "it broke off"
        try:
            seen = await look(asked, said)
            made.fingerprint = seen.fingerprint
            await self._ended(made, seen.digest, seen.checks)
        except asyncio.CancelledError:
            stage, why = Stage.CANCELLED, ""
        except Invalid as invalid:
            why = "\n".join(invalid.problems)
        except (Lost, LedgerUnwritable) as error:
            why = str(error)
        finally:
            # However it ended: what is not told to be admitted is not.
            if made.told.stage is Stage.LOOKING:
                made.told = replace(made.told, stage=stage, at=None, why=why or None)

    async def _ended(self, made: _Look, digest: str, results: Sequence[CheckResult]) -> None:
        refused = refusing(results)
        checks = tuple(one.to_json() for one in results)
        stage = Stage.REFUSED if refused else Stage.ADMITTED
        listed: list[Json] = [dict(one) for one in checks]
        data: dict[str, Json] = {"look": made.told.ident, "base": made.told.base, "stage": stage.value}
        data["checks"] = listed
        await self._runtime.record(Event.ADMISSION, made.told.by, digest, data)
        made.told = replace(made.told, stage=stage, at=None, bundle=digest, checks=checks, refused=refused)


def _left(told: Looked) -> tuple[Check, ...]:
    """What refused, and nobody let through."""
    through = {check for one in told.overridden for check in one.checks}
    return tuple(one for one in told.refused if one not in through)
