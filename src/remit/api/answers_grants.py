"""What the API answers about grants."""

from pydantic import JsonValue

from remit.api.answers import Answer


class ConstraintAnswer(Answer):
    """An argument that is held to a value (`=`), or to numbers up to one (`<=`)."""

    name: str
    bound: str
    value: JsonValue


class CoveredAnswer(Answer):
    """Of the asks of the last week (`of`), those that a grant would have spared people; some by id."""

    of: int
    count: int
    approvals: list[str]


class GrantAnswer(Answer):
    """One grant. `ended` says why it lifts nothing; `sid` where it is of one session.

    `terms` names what it covers, whenever it ends: `values`, `results`, `carried` and `measures`, see
    docs/reference/approvals.md.
    """

    id: str
    approval: str
    terms: str
    scope: str
    agents: list[str]
    user: str | None
    sid: str | None
    tool: str
    gates: list[str]
    given: str
    by: list[str]
    expires: str
    uses: int
    uses_max: int
    revoked_by: str | None
    ended: str | None
    values: list[str]
    results: list[str]
    carried: list[str]
    measures: dict[str, str]
    where: list[ConstraintAnswer]
    last_week: CoveredAnswer | None = None


class GrantsAnswer(Answer):
    """Grants, newest first."""

    items: list[GrantAnswer]
