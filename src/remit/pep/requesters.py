"""Who asked for the approvals that can still move, as far as this process opened them, or held their callers.

A proposal names its session and its token; the root of the run and the tokens that this one came from are known by
whoever asks, while he asks. Each is forgotten with its approval.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.ports.upstream import Era


@dataclass(frozen=True, slots=True)
class _By:
    root: str
    tokens: tuple[str, ...]


class Requester(NamedTuple):
    """The session that asked, and what its client speaks and declared: what a server shows may hang on these."""

    sid: str
    era: Era
    capabilities: Mapping[str, Json]


class Requesters:
    """By approval, and by root session."""

    def __init__(self) -> None:
        self._by: dict[str, _By] = {}
        self._of: dict[str, set[str]] = {}
        self._clients: dict[str, Requester] = {}

    def open(self, ident: str, authority: Authority) -> None:
        """Take note that `authority` has people asked by the approval `ident`."""
        root = authority.links[0].sid
        self._by[ident] = _By(root, (authority.token, *authority.ancestors))
        self._of.setdefault(root, set()).add(ident)

    def waits(self, ident: str, client: Requester) -> None:
        """Take note that `client` waits for the approval `ident`, which can still move."""
        self._clients[ident] = client

    def client_of(self, ident: str) -> Requester | None:
        """Who waited for `ident` last."""
        return self._clients.get(ident)

    def drop(self, ident: str) -> None:
        """Forget the approval `ident`: nothing moves it any more."""
        self._clients.pop(ident, None)
        by = self._by.pop(ident, None)
        if by is not None:
            waiting = self._of[by.root]
            waiting.remove(ident)
            if not waiting:
                del self._of[by.root]

    def of(self, root: str) -> Iterable[str]:
        """The approvals for which the run of the root session `root` asked, with all that was delegated from it."""
        return self._of.get(root, ())

    def root_of(self, ident: str) -> str | None:
        """The root session of the run that asked for `ident`."""
        by = self._by.get(ident)
        return None if by is None else by.root

    def tokens_of(self, ident: str) -> tuple[str, ...]:
        """The token by which `ident` was asked for, and those that it came from."""
        by = self._by.get(ident)
        return () if by is None else by.tokens
