"""What the API answers of passkeys."""

from remit.api.answers import Answer


class PasskeyAnswer(Answer):
    """What `user` confirms a yes with, by the name that he gave it, and how often it says that it signed."""

    id: str
    user: str
    name: str
    added: str
    signed: int


class PasskeysAnswer(Answer):
    """Passkeys, the oldest first."""

    items: list[PasskeyAnswer]


class InvitedAnswer(Answer):
    """The `word` with which `user` registers one passkey at `url`, until then."""

    user: str
    word: str
    url: str
    until: str


class RemovedAnswer(Answer):
    """The passkey that confirms nothing any more, and the record that says so."""

    id: str
    record: str
