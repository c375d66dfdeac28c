"""One thing an agent is about to do, and the hash that binds an approval to exactly it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from remit.facts.agent import Authority
from remit.facts.canonical import Json, canonical


class ActionKind(StrEnum):
    """The kinds of action (DESIGN section 1)."""

    CALL_TOOL = "call_tool"
    CALL_MODEL = "call_model"
    READ_RESOURCE = "read_resource"
    GET_PROMPT = "get_prompt"
    DELEGATE = "delegate"


@dataclass(frozen=True, slots=True)
class Action:
    """An action as the enforcement point understood it.

    `server` and `name` say what is reached (`name` is the tool's own name, or the sub-agent of
    a delegation, whose `server` is empty). `arguments` is the canonical form (RFC 8785) of
    `input`: the bytes that are hashed, judged and forwarded.
    """

    kind: ActionKind
    server: str
    name: str
    arguments: bytes
    input: Mapping[str, Json]
    authority: Authority

    def hash(self, pin: str) -> str:
        """`sha256:…` over agent chain, sessions, user, tool with its `pin`, and arguments.

        An approval claims by this value: any other argument byte, session, user, chain or tool
        definition is another action. INVARIANT(approval-binds-exact-action)
        """
        bound: Json = {
            "kind": self.kind.value,
            "server": self.server,
            "name": self.name,
            "pin": pin,
            "user": self.authority.user,
            "links": [[link.agent, link.sid] for link in self.authority.links],
            "arguments": hashlib.sha256(self.arguments).hexdigest(),
        }
        return "sha256:" + hashlib.sha256(canonical(bound)).hexdigest()
