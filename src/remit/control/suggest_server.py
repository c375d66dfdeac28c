"""What `remit tools suggest` proposes as the `sink` of a Server: where goes what all but its tools is asked.

Laws
* Only the operator's own configuration says that it stays inside: the name that he gave, and where the server is.
* Whatever a server says of itself, by its tools, speaks against it or not at all.
* All of it has to say so. What is unsure is external.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from remit.control import suggest_words as words
from remit.control.resources import ResourceKind, ServerSpec
from remit.control.suggest import SuggestedSpec, spoken
from remit.facts.address import is_inside
from remit.facts.canonical import Json
from remit.facts.tool import Definition, Sink

_STARTERS: Final = frozenset({
    "bash", "bunx", "cmd", "dlx", "docker", "env", "exec", "npm", "npx", "pipx", "pnpm", "pnpx", "podman", "powershell",
    "pwsh", "sh", "sudo", "uv", "uvx", "yarn", "zsh",
})  # fmt: skip
"""Programs that start another, or fetch it first: what that is, the command does not show."""
_PROGRAM: Final = re.compile(r"[\w./+-]+", re.ASCII)
_PART: Final = re.compile(r"[\w+,-]*|(?:~|\.{1,2})?/[\w./+,-]*", re.ASCII)
"""Of a command: a plain word, or a path. Anything else may be an address, or a program in itself."""
_ENDINGS: Final = ("s", "es", "d", "ed", "ing")


def propose_sink(server: str, spec: ServerSpec, tools: Iterable[Definition], where: str) -> SuggestedSpec:
    """The sink of `server`, which is declared by `spec` at `where` and has `tools`."""
    against = next(_against(server, spec, tools), None)
    place = "it runs on this machine" if spec.url is None else "its address is inside"
    inside = f"its name says {_said(server, words.INSIDE)!r}, {place}, and nothing of it speaks of others"
    sink, why = (Sink.INTERNAL, inside) if against is None else (Sink.EXTERNAL, against)
    return SuggestedSpec(server, {"sink": sink.value}, {"sink": why}, ResourceKind.SERVER, where)


def _against(server: str, spec: ServerSpec, tools: Iterable[Definition]) -> Iterator[str]:
    """All that speaks against its keeping to itself what it is asked."""
    yield from _at_url(spec.url) if spec.url is not None else _by_command(spec)
    if said := _said(server, words.OUTWARD):
        yield f"its name says {said!r}"
    if not _said(server, words.INSIDE):
        yield "its name does not say that it stays inside, as 'internal' or 'local' would"
    for tool in sorted(tools, key=lambda one: one.name):
        if tool.annotations.get("openWorldHint") is True:
            yield f"its tool {tool.name} claims openWorldHint: true"
        texts = (text for member in tool.to_json().values() for text in _texts(member))
        if said := next(filter(None, (_said(text, words.OUTWARD) for text in texts)), ""):
            yield f"its tool {tool.name} says {said!r}"


def _at_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if not is_inside(parts.hostname or ""):
        yield "its address is not written out as one of this machine or of a private network"
    elif said := _said(f"{parts.path} {parts.query}", words.OUTWARD):
        yield f"its url says {said!r}"


def _by_command(spec: ServerSpec) -> Iterator[str]:
    program, *arguments = spec.command or ("",)
    text = " ".join((program, *arguments))
    if started := _said(text, _STARTERS):
        yield f"its command has {started!r} start something else"
    if said := _said(text, words.OUTWARD):
        yield f"its command says {said!r}"
    plain = all(_PART.fullmatch(part) for argument in arguments for part in argument.split("="))
    if not _PROGRAM.fullmatch(program) or not plain:
        yield "its command holds more than plain words and paths"
    if spec.env:
        yield f"it is given the variable {min(spec.env)}, which may name or open something outside"


def _said(text: str, meant: frozenset[str]) -> str:
    """The first of the words of `text` that is one of `meant`, whatever its ending; nothing where none is."""
    for word in spoken(text):
        forms = {word, *(word.removesuffix(ending) for ending in _ENDINGS)}
        if found := sorted(forms & meant):
            return found[0]
    return ""


def _texts(value: Json) -> Iterator[str]:
    """All that a definition says, in order of names, as `remit.lock` has it; what `$` begins is about its schema."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in sorted(value.items(), key=lambda member: member[0]):
            if not name.startswith("$"):
                yield name
                yield from _texts(one)
    elif isinstance(value, Sequence):
        for one in value:
            yield from _texts(one)
