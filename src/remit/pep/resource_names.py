"""Resources under `/mcp`, where all servers are one: `remit+SERVER:URI`, in what is asked for and in what is told.

What a server says is judged, indexed and stored in its own names, which are the same on every path; names are given as
the last thing before the bytes of an answer are made, so that a client reads back what it was told of.
"""

from collections.abc import Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.catalog import SERVER_NAME

SCHEME: Final = "remit+"


def exposed_uri(server: str, uri: str) -> str:
    """A resource's URI, or a template of them, as it is shown under `/mcp`."""
    return f"{SCHEME}{server}:{uri}"


def own_uri(exposed: str) -> tuple[str, str]:
    """`(server, uri)` of an exposed URI; where there is none, the server is empty."""
    server, _, uri = exposed.removeprefix(SCHEME).partition(":")
    if not exposed.startswith(SCHEME) or not uri or not SERVER_NAME.fullmatch(server):
        return "", exposed
    return server, uri


def with_exposed_uris(server: str, answer: Json) -> Json:
    """What `server` answers to a call, a read or a prompt: links, embedded resources and contents by exposed URIs."""
    if not isinstance(answer, Mapping):
        return answer
    for name, rename in _NAMED.items():
        found = answer.get(name)
        if isinstance(found, list):
            named = [rename(server, one) for one in found]
            # Most answers name no resource, and are sealed already.
            if any(one is not was for one, was in zip(named, found, strict=True)):
                answer = {**answer, name: named}
    return answer


def _content(server: str, one: Json) -> Json:
    uri = one.get("uri") if isinstance(one, Mapping) else None
    return {**one, "uri": exposed_uri(server, uri)} if isinstance(one, Mapping) and isinstance(uri, str) else one


def _block(server: str, one: Json) -> Json:
    match one:
        case {"type": "resource_link"}:
            return _content(server, one)
        case {"type": "resource", "resource": embedded}:
            return {**one, "resource": _content(server, embedded)}
        case _:
            return one


def _message(server: str, one: Json) -> Json:
    found = one.get("content") if isinstance(one, Mapping) else None
    named = _block(server, found)
    return {**one, "content": named} if isinstance(one, Mapping) and named is not found else one


_NAMED: Final = {"content": _block, "messages": _message, "contents": _content}
"""The members of answers that name resources."""
