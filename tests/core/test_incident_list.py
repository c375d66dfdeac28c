"""In which order the command line lists incidents."""

from remit.app.cli.incidents import gravest_first


def test_the_gravest_come_first_and_of_those_as_grave_the_last_changed() -> None:
    changed = [("a", "medium"), ("b", "high"), ("c", "critical"), ("d", "high"), ("e", "low"), ("f", "medium")]
    items = [{"id": ident, "severity": severity} for ident, severity in changed]
    assert [one["id"] for one in gravest_first(items)] == ["c", "b", "d", "a", "f", "e"]
