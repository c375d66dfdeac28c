"""What the API answers about agents that are being introduced."""

from remit.api.answers import Answer


class AdoptionRow(Answer):
    """The calls, or the lists, that one policy spoke against, or a `budget:NAME`; `policy` is null where none permits.

    `would_deny` and `would_ask` say what would have become of them, `would_hide` how many were lists (and what a server
    says of itself) of which nothing would have been shown; `examples` are decision ids, the
    latest first; `now` is what the running bundle says of the latest one, null where that cannot be told.
    """

    policy: str | None
    would_deny: int
    would_ask: int
    would_hide: int
    reason: str
    where: str | None
    tools: list[str]
    last: str
    examples: list[str]
    now: str | None


class AdoptionAnswer(Answer):
    """What observing let an agent do, and so what enforcing would change.

    `changes` says whether it would stop any call; lists that would be empty are no calls. `complete` is false where the
    ledger was read back to `since` only, not as far as was asked; `policies_left` counts the rows that were left out.
    """

    agent: str
    mode: str
    since: str
    complete: bool
    records: int
    calls: int
    would_deny: int
    would_ask: int
    would_hide: int
    changes: bool
    policies: list[AdoptionRow]
    policies_left: int
