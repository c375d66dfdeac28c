"""The scripted agent as a process: started, read line by line, ended."""

import contextlib
import queue
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from remit.app.demo.expect import AgentLine, parse

AGENT: Final = Path(__file__).with_name("agent.py")
STOP_S_MAX: Final = 10.0


class AgentOutput:
    """What the agent has said and is still to say."""

    def __init__(self) -> None:
        self._queue: queue.Queue[AgentLine | None] = queue.Queue()

    def listen(self, process: "subprocess.Popen[str]") -> None:
        """Take in everything the agent writes; what is no line of its own is left out."""
        for line in process.stdout or ():
            try:
                self._queue.put(parse(line))
            except ValueError:
                continue
        self._queue.put(None)

    def next(self, wait_s: float) -> AgentLine | None:
        """The next line; None when the agent has ended. `TimeoutError` when it says nothing in `wait_s`."""
        try:
            return self._queue.get(timeout=wait_s)
        except queue.Empty as error:
            raise TimeoutError(f"the agent said nothing for {wait_s:.0f} s") from error


@contextmanager
def acting(python: Path, arguments: Sequence[str], log: Path) -> Generator[AgentOutput]:
    """Run the agent under `python` until the block ends; its standard error goes to `log`."""
    command = [str(python), "-P", str(AGENT), *arguments]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        ) as process,
    ):
        lines = AgentOutput()
        listener = threading.Thread(target=lines.listen, args=(process,), daemon=True)
        listener.start()
        try:
            yield lines
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S_MAX)
        finally:
            process.kill()
            listener.join(STOP_S_MAX)
