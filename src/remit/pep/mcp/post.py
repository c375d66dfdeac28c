"""One authenticated POST on its way to an era."""

from dataclasses import dataclass, field

from remit.facts.agent import Authority
from remit.pep.mcp.asgi import Heads, Receive, Send
from remit.pep.request_context import RequestContext
from remit.ports.upstream import HoldBytes, unbounded


@dataclass(frozen=True, slots=True)
class Post:
    """A request whose sender is known. `server` is the path's, None for all servers."""

    authority: Authority
    server: str | None
    head: Heads
    receive: Receive
    send: Send
    may_stream: bool
    account: RequestContext = field(default_factory=RequestContext)
    hold: HoldBytes = unbounded
