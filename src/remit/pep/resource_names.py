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
        items = answer.get(name)
        if isinstance(items, list):
            renamed = [rename(server, item) for item in items]
            # Most answers name no resource, and are sealed already.
            if any(item is not was for item, was in zip(renamed, items, strict=True)):
                answer = {**answer, name: renamed}
    return answer


def _content(server: str, content: Json) -> Json:
    uri = content.get("uri") if isinstance(content, Mapping) else None
    return (
        {**content, "uri": exposed_uri(server, uri)}
        if isinstance(content, Mapping) and isinstance(uri, str)
        else content
    )


def _block(server: str, block: Json) -> Json:
    match block:
        case {"type": "resource_link"}:
            return _content(server, block)
        case {"type": "resource", "resource": embedded}:
            return {**block, "resource": _content(server, embedded)}
        case _:
            return block


def _message(server: str, message: Json) -> Json:
    content = message.get("content") if isinstance(message, Mapping) else None
    renamed = _block(server, content)
    return {**message, "content": renamed} if isinstance(message, Mapping) and renamed is not content else message


_NAMED: Final = {"content": _block, "messages": _message, "contents": _content}
"""The members of answers that name resources."""
