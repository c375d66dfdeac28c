"""Closing what belongs together: one part that fails keeps no other open."""

import logging
from typing import Final, Protocol

from remit.app.http.front import fault
from remit.app.terminal.output import say
from remit.facts.text import escaped

_LOG: Final = logging.getLogger(__name__)


class Closes(Protocol):
    """What is closed when it is no longer needed."""

    async def close(self) -> None:
        """Close it."""
        ...


async def close_all(*parts: Closes) -> None:
    """Close each of `parts`, in their order, whatever another raises or who cancels this meanwhile.

    Raises what cut it short, else an `ExceptionGroup` of what they raised.
    """
    errors: list[Exception] = []
    cut: BaseException | None = None
    for part in parts:
        try:
            await part.close()
        except Exception as error:  # noqa: BLE001 - raised with the others
            errors.append(error)
        except BaseException as error:  # noqa: BLE001 - raised at the end
            cut = error
    if cut is not None:
        raise cut
    if errors:
        raise ExceptionGroup("parts of the service did not close", errors)


async def close_service(service: Closes) -> None:
    """Close `service`, and say what of it did not."""
    try:
        await service.close()
    except ExceptionGroup as group:
        for error in group.exceptions:
            _LOG.error("a part of the service did not close", extra=fault(error))
            say(f"while closing: {type(error).__name__}: {escaped(str(error))}")
