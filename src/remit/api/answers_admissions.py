"""What the API answers of looks at changes."""

from pydantic import JsonValue

from remit.api.answers import Answer


class AdmissionCheckAnswer(Answer):
    """One check: `state` is passed, failed, unfinished or left-out; `findings` is what it refuses for."""

    check: str
    state: str
    figures: dict[str, JsonValue]
    findings: list[str]
    next: str


class OverriddenAnswer(Answer):
    """Who let through what which checks refused, when and why."""

    checks: list[str]
    by: str
    at: str
    why: str


class LookAnswer(Answer):
    """A look at a change: of `bundle`, over `base`.

    `stage` is looking, admitted, refused, broken or cancelled; `at` the check at work. What `refused`, `owner` may let
    through; nobody, where that is empty. `why` is of one that broke off.
    """

    id: str
    stage: str
    by: str
    since: str
    base: str
    bundle: str | None
    at: str | None
    owner: str
    checks: list[AdmissionCheckAnswer]
    refused: list[str]
    overridden: list[OverriddenAnswer]
    why: str | None
