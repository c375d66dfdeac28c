"""What the API answers of records that judge no action."""

from pydantic import JsonValue

from remit.api.answers import Answer, RecordAnswer
from remit.api.answers_decided import OfRecordAnswer


class NamingAnswer(Answer):
    """The incident that names a record."""

    id: str
    title: str
    state: str
    assignee: str | None


class RecordedAnswer(OfRecordAnswer):
    """A record that judges no action: `by` did `event` to `subject`; `text` and `told` say so to people.

    `said` is what it holds, `records` are those that it names, each with its outcome.
    """

    event: str
    by: str
    subject: str
    text: str
    told: list[str]
    said: dict[str, JsonValue]
    records: list[RecordAnswer]
    incident: NamingAnswer | None
