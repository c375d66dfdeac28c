"""What the API answers of bundles."""

from remit.api.answers import Answer, ChangeAnswer


class BundleAnswer(Answer):
    """A bundle that was in force; `until` is null of the one that runs."""

    bundle: str
    since: str
    until: str | None
    by: str
    policies: int | None
    tools: int | None
    agents: int | None
    record: str
    records: int


class BundlesAnswer(Answer):
    """Bundles, the latest first."""

    items: list[BundleAnswer]


class BetweenAnswer(Answer):
    """What turns the bundle `before` into `after`."""

    before: str
    after: str
    changes: list[ChangeAnswer]


class ProgressAnswer(Answer):
    """How far the bundle is that is being made; `done` of `total` policies are checked."""

    making: bool
    done: int
    total: int
