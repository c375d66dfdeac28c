"""Proposals as the YAML that a person accepts: every line that was guessed with its reason beside it.

Law: a line stays one. Names come from servers; none ends the comment or the value that it stands in.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from remit.control.resources import API_VERSION
from remit.control.suggest import SuggestedSpec
from remit.facts.canonical import Json
from remit.facts.text import one_line

_ABOUT = (
    "# What `remit tools suggest` proposes, from names, schemas, descriptions and annotations alone.",
    "# A server's words about itself are claims: read each line, correct it, or take it out. What is left",
    "# out counts as the worst case.",
)


def text_of(proposals: Iterable[SuggestedSpec]) -> str:
    """One YAML document a proposal; ends in a newline."""
    lines = list(_ABOUT)
    for proposal in proposals:
        lines += ["---", *([f"# Add this to what {one_line(proposal.where)} declares."] if proposal.where else ())]
        lines += [f"apiVersion: {API_VERSION}", f"kind: {proposal.kind.value}", "metadata:"]
        lines += [f"  name: {flow(proposal.name)}", "spec:"]
        lines += [f"  {line}" for line in members_of(proposal)]
    return "\n".join(lines) + "\n"


def members_of(proposal: SuggestedSpec) -> Iterator[str]:
    """The lines below `spec`, each with its reason."""
    for name, value in proposal.spec.items():
        because = proposal.because.get(name, "")
        if name in {"arguments", "impact"} and isinstance(value, Mapping):
            yield f"{name}:"
            for inner, said in value.items():
                yield _line(f"  {flow(inner)}: {flow(said)}", proposal.because.get(f"{name}.{inner}", ""))
        elif name == "results" and isinstance(value, Sequence):
            yield f"{name}:"
            for index, part in enumerate(value):
                yield _line(f"  - {flow(part)}", proposal.because.get(f"results.{index}", ""))
        else:
            yield _line(f"{name}: {flow(value)}", because)


def _line(text: str, because: str) -> str:
    return f"{text}  # {one_line(because)}" if because else text


def flow(value: Json) -> str:
    """`value` in YAML's flow style; words that can be nothing else stand bare."""
    if isinstance(value, str):
        bare = value.isascii() and value.replace("_", "").replace("-", "").isalpha() and value not in _RESERVED
        return value if bare else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(name)}: {flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return json.dumps(value)


def _quoted(value: str) -> str:
    """In double quotes, which YAML and JSON read alike but for characters beyond U+FFFF."""
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def intended(proposal: SuggestedSpec) -> Mapping[str, Json]:
    """The document that `text_of` writes of `proposal`, as a reader has to find it."""
    named: Json = {"name": proposal.name}
    return {"apiVersion": API_VERSION, "kind": proposal.kind.value, "metadata": named, "spec": dict(proposal.spec)}


_RESERVED = frozenset({"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"})
