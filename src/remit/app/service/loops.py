"""What a service does beside answering: it finishes its start, and then runs its loops until it ends.

Law: nothing here ends unheard. A step or a turn that fails is told of and the rest goes on; should a loop end on an
error all the same, its siblings end with it and the error is told.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

from remit.adapters.system import SystemClock, settle_collector
from remit.api.services import Invalid
from remit.app.build import Service
from remit.app.data.end_mark import PERIOD_S as MARKING_S
from remit.app.data.end_mark import Marking
from remit.app.discovery.telemetry_forwarder import forward_telemetry
from remit.app.service.liveness import PERIOD_S as LIVENESS_S
from remit.app.service.liveness import Liveness
from remit.app.service.logs import Logs
from remit.app.service.repeated_failures import RepeatedFailures, tell
from remit.app.service.runtime import Runtime
from remit.app.service.workspace_watch import PERIOD_S as WATCHING_S
from remit.app.service.workspace_watch import Stamp, WorkspaceWatcher
from remit.app.settings import Settings
from remit.app.terminal.output import counted, say
from remit.facts.text import escaped
from remit.pep.lease import RENEW_S
from remit.pep.tally import Tally
from remit.work.checkpoints import PERIOD_S as CHECKPOINT_S
from remit.work.discovery import PERIOD_S as DISCOVERY_S
from remit.work.incidents import PERIOD_S as INCIDENTS_S
from remit.work.loop import every, guarded
from remit.work.outbox import PERIOD_S as NOTIFYING_S

_LOG: Final = logging.getLogger(__name__)
_EXPIRY_S: Final = 1.0
_REFUSALS_S: Final = 10.0


async def background(service: Service, settings: Settings, logs: Logs, taken: Stamp | None) -> None:
    """Finish the start of `service` and run its loops, until cancelled.

    With `taken`, the workspace as it was taken, its changes are taken by themselves.
    """
    # Enforcement goes on without any of these; what is erased on record stays to be erased.
    for step in (
        service.load_api,
        partial(asyncio.to_thread, logs.start),
        service.proofs.erasures.finish,
        service.discoverer.start,
        partial(unapplied, service.runtime),
    ):
        await guarded(step, tell)
    settle_collector()
    try:
        async with asyncio.TaskGroup() as group:
            for loop in _loops(service, settings, taken):
                group.create_task(loop)
    except* Exception as errors:  # noqa: BLE001 - the law above
        for error in errors.exceptions:
            tell(error)


async def unapplied(runtime: Runtime) -> None:
    """Say what of the workspace folder does not run, where a start went on with what was in force."""
    problem: str | None = None
    try:
        pending = await runtime.waiting()
        count = 0 if pending is None else len(pending.changes)
        code, why = "workspace/unapplied", f"the workspace folder has {counted(count, 'change')} not applied"
    except Invalid as error:
        problem, count = error.problems[0], len(error.problems)
        code, why = "workspace/invalid", f"the workspace folder does not validate: {problem}"
    if count:
        _LOG.warning(
            "what was in force runs, and not what the workspace folder says",
            extra={"code": code, "error": problem, "count": count},
        )
        say(f"{escaped(why)}; what was in force runs: remit diff, then: remit apply")


def _loops(service: Service, settings: Settings, taken: Stamp | None) -> list[Coroutine[Any, Any, None]]:
    clock = SystemClock()
    turns: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
        "discovery": (DISCOVERY_S, service.discoverer.turn),
        "expiry": (_EXPIRY_S, service.driver.authorization.expire_due),
        "halts": (RENEW_S, service.lease.turn),
        "incidents": (INCIDENTS_S, service.incidents.turn),
        "notices": (NOTIFYING_S, service.outbox.notifying.turn),
        "checkpoints": (CHECKPOINT_S, service.proofs.checkpoints.advance),
        "mark": (MARKING_S, Marking(settings.ledger, service.ledger.fail, service.signs).turn),
        "servers": (LIVENESS_S, Liveness(service.fleet, clock).turn),
        "refusals": (_REFUSALS_S, _refusal_reporter(service.tally)),
    }
    if taken is not None:
        turns["watch"] = (WATCHING_S, WorkspaceWatcher(settings.workspace, service.runtime, taken).turn)
    loops: list[Coroutine[Any, Any, None]] = [
        every(period_s, partial(RepeatedFailures(name, clock).turn, turn), tell)
        for name, (period_s, turn) in turns.items()
    ]
    if settings.forward is not None:
        loops.append(
            forward_telemetry(service.discoverer, *settings.forward, RepeatedFailures("forwarding", clock).failed)
        )
    return loops


def _refusal_reporter(tally: Tally) -> Callable[[], Coroutine[Any, Any, None]]:
    """Say what limits refused since the last time: a line for each would be a way to fill the disk."""
    reported = Counter[str]()

    async def turn() -> None:
        nonlocal reported
        for code, number in (tally.refused - reported).items():
            _LOG.warning("a limit refused requests", extra={"code": code, "count": number})
        reported = tally.refused.copy()

    return turn
