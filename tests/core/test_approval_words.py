"""What a person reads after his word on an approval."""

import pytest

from remit.app.cli.approval_words import say_how_it_stands
from remit.app.terminal.output import Format


def test_who_said_yes_reads_what_claimed_means(capsys: pytest.CaptureFixture[str]) -> None:
    say_how_it_stands({"id": "r1-1.5", "state": "claimed"}, Format.TABLE)
    assert capsys.readouterr().err == "r1-1.5 is now claimed\n  the agent waited for it, and its call runs by it\n"
