"""What requests of the inventory may say."""

from typing import Annotated, Final

from pydantic import Field, JsonValue

from remit.api.requests import Strict, SubjectText

SIGHTINGS_MAX: Final = 1_000


class ClaimRequest(Strict):
    """Two names are one, or are not."""

    one: SubjectText
    other: SubjectText
    same: bool


class SettledRequest(Strict):
    """What the agent of that name does now is what is expected of it."""

    name: SubjectText


class SightingsRequest(Strict):
    """What a source outside of the service saw, as `discover.sighting_json` writes it."""

    sightings: Annotated[list[dict[str, JsonValue]], Field(max_length=SIGHTINGS_MAX)]
