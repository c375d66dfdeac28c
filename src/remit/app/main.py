"""The `remit` command: one entry, one place where failures become words and exit codes."""

import signal
import sys
import threading
from importlib import import_module


def main() -> None:
    """Run the command line; exits with the codes of `remit.app.terminal.failure.Exit`."""
    serves = sys.argv[1:2] == ["up"]
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        # Raised within an import it would be a traceback, or lost: until a command begins it ends the process, and
        # that of a service until that hears signals itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if serves:
        # It reads the machine's certificates without the interpreter lock: beside the other
        # imports of a start that costs next to nothing.
        threading.Thread(target=import_module, args=("aiohttp",), daemon=True).start()
        from remit.app.service.standard_error import lossy

        sys.stderr = sys.stderr and lossy(sys.stderr.fileno())  # none where it was closed: 2>&-
    from remit.app.cli import commands_of, run

    app = commands_of(sys.argv[1:])
    if not serves:
        signal.signal(signal.SIGINT, interrupted)
    sys.exit(run(sys.argv[1:], app))


if __name__ == "__main__":
    main()
