"""What is told of one HTTP request, in its log line and in its answer: its trace, and who sent it.

The front of the service makes it and puts it into the ASGI scope; whoever learns more adds it.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, cast

from remit.facts.canonical import Json
from remit.facts.trace import KEY, Trace, continued

ACCOUNT: Final = "remit.account"


@dataclass(slots=True)
class RequestContext:
    """`trace` is None where nobody keeps account; `agent` is known once its token was verified."""

    trace: Trace | None = None
    agent: str | None = None

    def within(self, meta: object) -> None:
        """Take the trace that the message's own `_meta` names, if it names one (SEP-414)."""
        if self.trace is not None and isinstance(meta, Mapping):
            self.trace = continued(cast("Mapping[str, Json]", meta).get(KEY), self.trace)

    @property
    def traceparent(self) -> str | None:
        """What goes with the requests that are made because of this one."""
        return None if self.trace is None else str(self.trace)


def context_of(scope: MutableMapping[str, Any]) -> RequestContext:
    """The account of the request of `scope`; a fresh one that nobody reads where there is none."""
    account = scope.get(ACCOUNT)
    return account if isinstance(account, RequestContext) else RequestContext()
