"""Why there is no usable reply, in our own words: nothing an upstream wrote reaches a text of ours."""

from remit.ports.upstream import Failure, UpstreamUnreachable


class Unusable(UpstreamUnreachable):
    """`UpstreamUnreachable` that carries the failure it came from; its text is ours."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def garbage(server: str, what: str) -> Failure:
    """The server said something that is not MCP."""
    text = f"server {server!r} sent {what}; see: remit describe server {server}"
    return Failure(cause="garbage", text=text, sent=True)


def timed_out(server: str, seconds: float, *, sent: bool) -> Failure:
    """It took longer than its limit."""
    text = f"server {server!r} did not answer within {seconds:g} s (call_s in its Server resource)"
    return Failure(cause="timeout", text=text, sent=sent)


def silent(server: str, seconds: float) -> Failure:
    """Nothing comes from it."""
    text = (
        f"server {server!r} has answered nothing for {seconds:.0f} s, whatever it is asked: see whether its process "
        "hangs or is busy, and start it again if need be"
    )
    return Failure(cause="silent", text=text, sent=True)


def too_large(server: str, bytes_max: int) -> Failure:
    """One message above the limits."""
    text = f"server {server!r} sent a message above {bytes_max} bytes, or of more values than one may hold"
    return Failure(cause="too_large", text=text, sent=True)


def no_room(server: str) -> Failure:
    """A large answer beside as many as may be held for one agent."""
    text = (
        f"there is no room for what server {server!r} answered: too many large answers of this agent are under way "
        "(held_bytes_per_agent_max): make fewer calls at once, and read what they bring"
    )
    return Failure(cause="no_room", text=text, sent=True)


def internal(server: str, problem: Exception, *, sent: bool) -> Failure:
    """An error of our own."""
    text = f"Remit failed in calling server {server!r} ({type(problem).__name__}); see: remit logs"
    return Failure(cause="internal", text=text, sent=sent)


def closed(server: str) -> Failure:
    """Remit is shutting down."""
    return Failure(cause="closed", text=f"Remit is closing its connection to server {server!r}", sent=False)


def expired(server: str, why: str, *, sent: bool) -> Failure:
    """A call that asked cannot go on."""
    text = f"the call that server {server!r} asked a question in cannot go on: {why}; call again"
    return Failure(cause="expired", text=text, sent=sent)


def undeclared(server: str, what: str) -> Failure:
    """It asks for what the client does not offer or policy does not leave it."""
    text = f"server {server!r} asks for {what} in mid-call, which was not offered to it"
    return Failure(cause="undeclared", text=text, sent=True)


def lost(server: str, what: str) -> Failure:
    """A watch that no longer hears of changes."""
    return Failure(cause="disconnected", text=f"server {server!r} {what}; watch it again", sent=True)
