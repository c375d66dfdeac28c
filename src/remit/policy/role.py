"""What a policy does with an action that it fits, read from its own text."""

from enum import StrEnum

from remit.policy.form import ParsedPolicy, PolicyEffect, UnreadablePolicy, form_of
from remit.policy.parse import Statement


class PolicyRole(StrEnum):
    """What a policy does where it is satisfied: a gate is a forbid that people may lift."""

    PERMITS = "permits"
    FORBIDS = "forbids"
    ASKS = "asks"


def role_of(form: ParsedPolicy) -> PolicyRole:
    """What the policy of that form does."""
    if form.effect is PolicyEffect.PERMIT:
        return PolicyRole.PERMITS
    return PolicyRole.ASKS if "gate" in form.annotations else PolicyRole.FORBIDS


def role_in(text: str) -> PolicyRole | None:
    """What the policy `text` does; None where it cannot be read here."""
    try:
        return role_of(form_of(Statement("", 1, 1, text)))
    except UnreadablePolicy:
        return None
