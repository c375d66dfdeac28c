"""`python -m proof.rows PAGE...`: the tables of these pages name a test in every row, and all of those tests pass.

A row that says `none yet` is a miss, and nothing is run then: the figure says how many rows are left.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from proof import tests as runner
from proof.verdict import say
from tests.core.test_docs import promises

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE_YET: Final = "none yet"


def main(arguments: Sequence[str]) -> int:
    """Count the rows, run the tests, print the verdict; its goal is that of the line."""
    pages = [argument for argument in arguments if not argument.startswith("-")]
    options = [argument for argument in arguments if argument.startswith("-")]
    named = [row.tests for page in pages for row in promises(page) if any("::" in test for test in row.tests)]
    open_rows = [row.name for page in pages for row in promises(page) if NONE_YET in row.tests]
    if open_rows or not named:
        rows = len(named) + len(open_rows)
        return say(f"{len(named)} of {rows} rows name a test; not: {', '.join(open_rows[:5])}", "", passed=False)
    return runner.main([*options, *dict.fromkeys(test for row in named for test in row)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
