"""`remit demo`: what an agent may do, what a page makes it try, and what is on record of it.

The demo fails when a step ends otherwise than `expect` has it, when the hidden instruction did
not reach the agent, or when the run without Remit did no harm.
"""

import secrets
import shutil
import signal
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from remit.app.demo import record
from remit.app.demo.acts import DemoStage, what_next, with_remit, without_remit
from remit.app.demo.install import VirtualEnvironment, agent_python, install, runnable_servers
from remit.app.demo.narrate import Narrator
from remit.app.demo.page import open_world
from remit.app.demo.scene import Scene, lay_out
from remit.app.service.child_process import ServiceProcess, is_free, running
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import say

ENDS: Final = (signal.SIGTERM, signal.SIGHUP)


def tell(*, leave: bool, port: int) -> int:
    """Play the whole story on standard output; the exit code: 0 when every step ended as it should.

    With `leave` the service ends with the story, else it stays up until it is interrupted. `port`
    is the service's, a free one where it is taken. Raises `CommandFailure`.
    """
    environments = install(runnable_servers(), say)
    python = agent_python(say)
    root = Path(tempfile.mkdtemp(prefix="remit-demo-"))
    try:
        faults = _stage(Narrator(Console()), root, environments, python, port, leave=leave)
    except KeyboardInterrupt:
        shutil.rmtree(root, ignore_errors=True)
        raise
    if faults:
        say(f"the demo did not end as it should; its logs and ledger are in {root}")
        return Exit.NEGATIVE
    if leave:
        shutil.rmtree(root, ignore_errors=True)
    return Exit.OK


def _stage(
    narrator: Narrator,
    root: Path,
    environments: Mapping[str, VirtualEnvironment],
    python: Path,
    port: int,
    *,
    leave: bool,
) -> list[str]:
    """Everything that has to be ended again, in one place; the faults of the story."""
    with _signals_end_it(), open_world() as world:
        scene = lay_out(root, world, environments, f"shop-key-{secrets.token_hex(8)}")
        with running(scene, _port(port)) as service:
            _play(DemoStage(narrator, world, scene, python), service, leave=leave)
            if not leave and not narrator.faults:
                _stay(service, scene)
    return narrator.faults


def _port(port: int) -> int:
    if is_free(port):
        return port
    say(f"port {port} is taken, so the demo's service takes a free one")
    return 0


def _play(stage: DemoStage, service: ServiceProcess, *, leave: bool) -> None:
    """Each act needs that the one before ended as it should."""
    ref = with_remit(stage, service)
    if ref is not None:
        without_remit(stage)
        record.check(stage.narrator, stage.scene, ref)
    if ref is not None and not stage.narrator.faults:
        what_next(stage, service, ref, leave=leave)


def _stay(service: ServiceProcess, scene: Scene) -> None:
    """Say how to reach the service, and wait until it ends or is interrupted."""
    say(f"Remit stays up at {service.url} until Ctrl-C; agents connect to {service.mcp}")
    say(f"tokens: {scene.token('admin').parent}   workspace: {scene.workspace}")
    try:
        service.process.wait()
    except KeyboardInterrupt:
        say(f"\nended. The record is kept: remit ledger verify --data {scene.data}")


@contextmanager
def _signals_end_it() -> Generator[None]:
    """Signals that end a process end the block first, so that no child is left behind."""
    before = {sign: signal.signal(sign, signal.default_int_handler) for sign in ENDS}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
