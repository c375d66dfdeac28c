"""Answers about tokens that were issued: by their ids, for nobody keeps the tokens themselves."""

from remit.api.answers import Answer


class IssuedAnswer(Answer):
    """A token that was issued.

    `kind` is agent, user, harness or session; `name` whom it is for, `agents` the chain, the minted agent first,
    `came_from` the ids of the tokens that it came from. `state` is live, expired, revoked (it, or one it came from), or
    void: its key is not there any more. `used` is when it was used last, null where not since the service started.
    """

    jti: str
    kind: str
    name: str
    agents: list[str]
    user: str | None
    sid: str | None
    since: str
    until: str
    state: str
    used: str | None
    by: str
    came_from: list[str]


class IssuedTokensAnswer(Answer):
    """Tokens, the latest first; `more`: earlier ones were left out."""

    items: list[IssuedAnswer]
    more: bool
