"""What the API answers of halts."""

from remit.api.answers import Answer


class HaltAnswer(Answer):
    """Something that is stopped from what it `holds` (`all`, `acting`, `reading`), by whom, since when and why."""

    kind: str
    name: str
    holds: str
    by: str
    since: str
    why: str


class HaltsAnswer(Answer):
    """What is stopped, the oldest first."""

    items: list[HaltAnswer]


class HaltedAnswer(Answer):
    """A halt that is in force, or of a drill, which stopped nothing.

    `cut` are the decision ids of actions whose server had been asked and not answered: their effect is in doubt.
    `ms` is how long it took from the request until it was durable; from its first moment on it was in force. `stays`
    names whose stop it stays, where somebody else's word stood already.
    """

    kind: str
    name: str
    stays: str | None
    drill: bool
    record: str
    cut: list[str]
    ms: float


class ResumedAnswer(Answer):
    """What may act again; `record` is null of what was not stopped."""

    kind: str
    name: str
    record: str | None
