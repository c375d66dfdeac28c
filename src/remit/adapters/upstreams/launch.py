"""Turns into a tool server that dies with Remit, even when Remit is killed with no time to tidy up.

Run by path in an isolated interpreter: `launch.py PARENT_PID PROGRAM ARGV...`. A `preexec_fn`
would run Python between fork and exec beside the ledger's threads; this runs after the exec.
The kernel clears the mark on fork: grandchildren are told by the end of their stdin instead.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Mark this process, see that the parent still lives, become the program."""
    parent, program, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit(1)
    try:
        os.execv(program, argv)  # noqa: S606 - the point of it
    except OSError as problem:
        sys.exit(f"cannot run {program}: {problem.strerror}")


if __name__ == "__main__":
    main()
