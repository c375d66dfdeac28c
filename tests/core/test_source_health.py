"""A source is unknown before anything was seen of it, well when it was, in part where parts could not be taken."""

from remit.discover.entry import ConditionStatus
from remit.discover.health import failing, unseen, well


def test_how_a_source_does_is_a_condition() -> None:
    assert (unseen("otlp", "nobody sent telemetry yet").status, unseen("x", "y").at_ms) == (
        ConditionStatus.UNKNOWN,
        None,
    )
    assert (well("host", 5, "3 sightings", 0).reason, well("host", 5, "3 sightings", 0).at_ms) == ("Seen", 5)
    assert well("host", 5, "3 sightings", 1).message == "3 sightings; 1 part could not be taken"
    assert well("host", 5, "3 sightings", 2).message == "3 sightings; 2 parts could not be taken"
    failed = failing("repo\u202e", "it\nis gone", 5)
    assert (failed.status, failed.reason, failed.at_ms) == (ConditionStatus.FALSE, "Failed", 5)
    assert "\n" not in failed.message
    assert "\u202e" not in failed.name
