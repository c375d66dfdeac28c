"""What a user has to open before a call can be made (error -32042, of 2025-11-25).

A client of that era that declared that it has its user open addresses gets the protocol's error, with what of it may be
asked by the rules for questions; to any other the failed call says in words which and why. One of 2026-07-28 was asked
by a question before (`adapters.upstreams.opening`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from remit.facts.canonical import Json
from remit.facts.obligation import Obligation
from remit.pep.answer import Client
from remit.pep.message_filter import show_question
from remit.pep.questions import may_be_asked
from remit.pep.redaction import redact_question
from remit.ports.upstream import Era, Failure, Question, Reply

_NEEDED: Final = ("message", "url", "elicitationId")


def in_words(client: Client, obligations: Sequence[Obligation], reply: Reply) -> Reply:
    """`reply` with addresses as `client` takes them: to be opened, or in words for its model to say."""
    if not isinstance(reply, Failure) or not reply.addresses:
        return reply
    redacted = [_redacted(client, obligations, address) for address in reply.addresses]
    allowed = [address for address in redacted if address is not None]
    if len(allowed) == len(redacted):
        return replace(reply, addresses=tuple(allowed))
    lines = [reply.upstream_text or "", *(_line(address.params) for address in reply.addresses)]
    return replace(reply, upstream_text="\n".join(line for line in lines if line), addresses=())


def _redacted(client: Client, obligations: Sequence[Obligation], address: Question) -> Question | None:
    """`address` as `client` may be asked to open it; None where it may not."""
    if client.era is not Era.INITIALIZE or not may_be_asked(client.capabilities, address):
        return None
    question = redact_question(obligations, show_question(address))
    return (
        question
        if question is not None and all(isinstance(question.params.get(name), str) for name in _NEEDED)
        else None
    )


def _line(params: Mapping[str, Json]) -> str:
    url, why = params.get("url"), params.get("message")
    return f"{why}: {url}" if isinstance(why, str) else str(url)
