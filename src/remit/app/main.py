"""The `remit` command: one entry, one place where failures become words and exit codes."""

import sys
import threading
from importlib import import_module


def main() -> None:
    """Run the command line; exits with the codes of `remit.app.terminal.failure.Exit`."""
    if sys.argv[1:2] == ["up"]:
        # It reads the machine's certificates without the interpreter lock: beside the other
        # imports of a start that costs next to nothing.
        threading.Thread(target=import_module, args=("aiohttp",), daemon=True).start()
    from remit.app.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
