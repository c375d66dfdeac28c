"""Who works beside the event loop: a thread of its own, or, in a simulation, whoever decides what happens when."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Protocol, TypeAlias


class Worker(Protocol):
    """Calls `serve` each time it was woken, never two of them at once; being woken waits for nothing."""

    def start(self, serve: Callable[[], None]) -> None:
        """Begin; `serve` raises nothing."""
        ...

    def wake(self) -> None:
        """Have `serve` called after this; several times in a row may be once."""
        ...

    def end(self) -> None:
        """Call it a last time."""
        ...

    def join(self) -> None:
        """Wait for that."""
        ...


Hire: TypeAlias = Callable[[str], Worker]
"""A worker by name."""
_AGAIN: Final = True
_LAST: Final = False


class Thread:
    """A thread of its own."""

    def __init__(self, name: str) -> None:
        self._tokens: Final[SimpleQueue[bool]] = SimpleQueue()
        self._name = name
        self._thread: threading.Thread | None = None

    def start(self, serve: Callable[[], None]) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, args=(serve,), name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have `serve` called after this."""
        self._tokens.put(_AGAIN)

    def end(self) -> None:
        """Call it a last time."""
        self._tokens.put(_LAST)

    def join(self) -> None:
        """Wait for that."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, serve: Callable[[], None]) -> None:
        goes_on = True
        while goes_on:
            goes_on = self._tokens.get()
            while goes_on and not self._tokens.empty():
                goes_on = self._tokens.get()
            serve()
