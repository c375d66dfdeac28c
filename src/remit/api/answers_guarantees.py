"""What the API answers of guarantees."""

from remit.api.answers import Answer


class SignedOffAnswer(Answer):
    """`by` lets run what breaks `guarantee` as `breach` names it, and the record that says so."""

    guarantee: str
    breach: str
    by: str
    record: str
