"""The stateless era over HTTP: one POST a request, nothing kept between two. The hot path is `ask`."""

from collections.abc import Callable, Mapping
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from remit.adapters.upstreams.exchange import BASE_HEADERS, VERSION_HEADER, HttpExchange
from remit.adapters.upstreams.frames import Outcome, header_value, request
from remit.adapters.upstreams.messages import Ear, Hearing
from remit.adapters.upstreams.requests import UpstreamRequest, meta
from remit.adapters.upstreams.wire import ServerProfile
from remit.ports.upstream import Era

PREPARED_MAX: Final = 4096
PARAM_PREFIX: Final = "mcp-param-"
_Route = tuple[str, str | None]


class Plain:
    """A server's address in the stateless era; headers are made once per method and name."""

    def __init__(self, exchange: HttpExchange, on_change: Callable[[], None]) -> None:
        self.hearing = Hearing(on_change)
        self.profile = ServerProfile()
        self._exchange = exchange
        self._prepared: dict[_Route, CIMultiDictProxy[str]] = {}
        self._ident = 0

    @property
    def era(self) -> Era:
        """See `Wire.era`."""
        return Era.STATELESS

    async def ask(self, call: UpstreamRequest, ear: Ear) -> Outcome:
        """See `Wire.ask`; cancelling it closes the stream, which cancels in this era."""
        route = (call.method, call.name)
        headers = self._prepared.get(route) or self._prepare(route)
        if ear.context.headers:
            headers = with_params(headers, ear.context.headers)
        self._ident = ident = self._ident + 1
        body = request(ident, call.method, call.params(meta(Era.STATELESS, ident, ear.context)))
        self.hearing.opened(ident, ear)
        try:
            return await self._exchange.ask(ident, body, headers, self.hearing)
        finally:
            self.hearing.closed(ident)

    async def answer(self, body: bytes) -> bool:  # noqa: ARG002 - as `Wire` has it
        """See `Wire.answer`: this era has no way back."""
        return False

    async def stand(self) -> None:
        """See `Wire.stand`: a listening is a request here."""

    def sit(self) -> None:
        """See `Wire.sit`."""

    def _prepare(self, route: _Route) -> CIMultiDictProxy[str]:
        if len(self._prepared) >= PREPARED_MAX:
            self._prepared.clear()
        headers = self._prepared[route] = headers_of(*route)
        return headers


def headers_of(method: str, name: str | None = None) -> CIMultiDictProxy[str]:
    """The headers of one stateless request (MCP 2026-07-28, transports)."""
    headers = CIMultiDict(BASE_HEADERS)
    headers[VERSION_HEADER] = Era.STATELESS.value
    headers["Mcp-Method"] = method
    if name is not None:
        headers["Mcp-Name"] = header_value(name)
    return CIMultiDictProxy(headers)


def with_params(headers: CIMultiDictProxy[str], params: Mapping[str, str]) -> CIMultiDictProxy[str]:
    """`headers` and the `Mcp-Param-*` of the final arguments; no other header can come this way."""
    merged = CIMultiDict(headers)
    for name, value in params.items():
        if name.lower().startswith(PARAM_PREFIX):
            merged[name] = header_value(value)
    return CIMultiDictProxy(merged)
