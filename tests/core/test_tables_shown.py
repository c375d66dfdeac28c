"""Tables on a screen: what a row is called by is whole, the rest gives way; nothing is cut where a program reads."""

import os
import sys

import pytest

from remit.app.terminal.output import Format, fit_columns, show

ROWS = [{"id": "r7f3-5.1234", "agent": "clerk", "what": "mail/send " + "x" * 200, "left": "7 h 56 min"}]
COLUMNS = ("id", "agent", "what", "left")


@pytest.mark.parametrize(
    ("widths", "total", "made"),
    [
        ([10, 100, 10], None, [10, 100, 10]),
        ([10, 100, 10], 200, [10, 100, 10]),
        ([10, 100, 10], 80, [10, 56, 10]),
        ([10, 90, 100], 114, [10, 50, 50]),
        ([30, 100, 30], 40, [30, 24, 24]),
        ([32, 9, 24, 40], 80, [32, 9, 24, 24]),
        ([100, 30], 80, [64, 24]),
        ([100], 80, [64]),
    ],
)
def test_the_widest_columns_give_way_and_none_wholly(widths: list[int], total: int | None, made: list[int]) -> None:
    assert fit_columns(widths, total) == made


def shown(capsys: pytest.CaptureFixture[str], form: Format) -> list[str]:
    show(ROWS, form, COLUMNS)
    return capsys.readouterr().out.splitlines()


def test_a_row_fits_the_screen_and_is_whole_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", "80")
    assert "x" * 200 in shown(capsys, Format.TABLE)[1], "a program reads"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "x" * 200 in shown(capsys, Format.WIDE)[1]
    row = shown(capsys, Format.TABLE)[1]
    assert (len(row), row.startswith("r7f3-5.1234  clerk  mail/send xxx"), row.endswith("…  7 h 56 min")) == (
        80,
        True,
        True,
    )
