"""The `remit` command: one entry, one place where failures become words and exit codes."""

import sys


def main() -> None:
    """Run the command line; exits with the codes of `remit.app.failure.Exit`."""
    from remit.app.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
