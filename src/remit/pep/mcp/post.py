"""One authenticated POST on its way to an era."""

from dataclasses import dataclass, field

from remit.facts.agent import Authority
from remit.pep.account import Account
from remit.pep.mcp.wire import Heads, Receive, Send
from remit.ports.upstream import Hold, unbounded


@dataclass(frozen=True, slots=True)
class Post:
    """A request whose sender is known. `server` is the path's, None for all servers."""

    authority: Authority
    server: str | None
    head: Heads
    receive: Receive
    send: Send
    may_stream: bool
    account: Account = field(default_factory=Account)
    hold: Hold = unbounded
