"""Calls as an agent's harness makes them, over the service's own HTTP edge, with whatever credential an attack has."""

import base64
import http.client
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from remit.app.attacking.dry_run import VERSION
from remit.app.attacking.ground import Ground
from remit.app.beside import Service
from remit.app.client import Client
from remit.app.failure import Failure
from remit.assure.attack.plan import Bearer, Calls
from remit.facts.agent import Agent, Harness
from remit.facts.canonical import Json

CALL_S_MAX: Final = 30.0
WORDS: Final = "Please look at what is new and tell me what it says."
"""What the user says where nothing else is told: nothing that asks for an act."""
SAID_CHARS_MAX: Final = 1_000
_EXCHANGE: Final = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


@dataclass(slots=True)
class Wire:
    """The sessions of one attempt at the service; `words` is what `user`, for whom every agent acts, says in them."""

    service: Service
    ground: Ground
    agents: Mapping[str, Agent]
    user: str | None
    words: str = WORDS
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    @property
    def admin(self) -> Client:
        """The control API, as the admin."""
        return self.service.client("admin")

    def call(self, step: Calls) -> str:
        """Make the call as often as it is to be made; the last answer, its status first."""
        bearer, said = self._bearer(step), ""
        for _ in range(step.times):
            said = self._sent(step, bearer)
        return said

    def _sent(self, step: Calls, bearer: str | None) -> str:
        meta: dict[str, Json] = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
            **step.meta,
        }
        params = {"name": step.tool, "arguments": step.arguments, "_meta": meta}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": step.tool,
            **step.headers,
        }
        if bearer is not None:
            headers["authorization"] = f"Bearer {bearer}"
        at = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=CALL_S_MAX)
        try:
            connection.request("POST", f"/mcp/{step.server}", body.encode(), headers)
            found = connection.getresponse()
            return f"{found.status} {_told(found.read())}"
        except OSError as error:
            return f"no answer: {error}"
        finally:
            connection.close()

    def _bearer(self, step: Calls) -> str | None:
        match step.bearer:
            case Bearer.OWN:
                return self._own(step)
            case Bearer.NONE:
                return None
            case Bearer.ADMIN:
                return self.ground.token("admin").read_text("utf-8").strip()
            case Bearer.PERSON:
                return str(self._mint("user", self.user or step.agent)["token"])
            case Bearer.HARNESS:
                return str(self._mint("harness", step.agent)["token"])
            case Bearer.GARBLED:
                own = self._own(step)
                return own[:-8] + ("A" if own[-8] != "A" else "B") + own[-7:]
            case Bearer.UNSIGNED:
                head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
                return f"{head}.{self._own(step).split('.')[1]}."
            case Bearer.REVOKED:
                made = self._mint("agent", step.agent)
                self.admin.post("/tokens/revoke", {"token": made["jti"]})
                return str(made["token"])

    def _own(self, step: Calls) -> str:
        if step.via is not None:
            return self._exchanged(self._session(step.via, step.session), step.agent)
        return self._session(step.agent, step.session)

    def _exchanged(self, parent: str, agent: str) -> str:
        told = _EXCHANGE | {"subject_token": parent, "actor": agent}
        try:
            return str(Client(None, self.service.url).form("/token", told)["access_token"])
        except Failure:
            return "nothing-was-delegated"

    def _session(self, agent: str, name: str) -> str:
        """The token of the session that this attempt calls `name`: the same for every call in it."""
        found = self._tokens.get((agent, name))
        if found is None:
            trusted = self.agents[agent].harness is Harness.TRUSTED
            found = self._tokens[agent, name] = (
                self._opened(agent) if trusted else str(self._mint("agent", agent)["token"])
            )
        return found

    def _opened(self, agent: str) -> str:
        harness = Client(str(self._mint("harness", agent)["token"]), self.service.url)
        made: dict[str, Any] = harness.post("/sessions", {"user": self.user} if self.user else {})
        harness.post(f"/sessions/{made['sid']}/words", {"text": self.words})
        return str(made["token"])

    def _mint(self, kind: str, name: str) -> Mapping[str, Any]:
        acts_for = {"user": self.user} if self.user and kind == "agent" else {}
        made: Mapping[str, Any] = self.admin.post("/tokens", {"kind": kind, "name": name, "ttl_s": 3600, **acts_for})
        return made


def _told(raw: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError, IndexError):
        message = json.loads(raw)
        if "error" in message:
            return str(message["error"]["message"] if isinstance(message["error"], Mapping) else message["error"])
        return str(message["result"]["content"][0]["text"])[:SAID_CHARS_MAX]
    return raw[:SAID_CHARS_MAX].decode("utf-8", "replace")
