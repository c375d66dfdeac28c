"""Calls as an agent's harness makes them, over the service's own HTTP edge, with whatever credential an attack has."""

import base64
import http.client
import json
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.app.attack.dry_run import VERSION
from remit.app.attack.ground import AttackFolder
from remit.app.service.child_process import ServiceProcess
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure
from remit.assure.attack.plan import Bearer, Calls, Reads
from remit.escalate.machine import OPEN, ApprovalState
from remit.facts.agent import Agent, Harness
from remit.facts.canonical import Json

CALL_S_MAX: Final = 30.0
WORDS: Final = "Please look at what is new and tell me what it says."
"""What the user says where nothing else is told: nothing that asks for an act."""
SAID_CHARS_MAX: Final = 1_000
HEARD_S_MAX: Final = 3.0
TOKEN_S: Final = 3600
EXPIRED_S: Final = 2.2
_EXCHANGE: Final = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


@dataclass(slots=True)
class AttemptSessions:
    """The sessions of one attempt at the service; `words` is what `user`, for whom every agent acts, says in them."""

    service: ServiceProcess
    ground: AttackFolder
    agents: Mapping[str, Agent]
    users: Collection[str]
    user: str | None
    words: str = WORDS
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    @property
    def admin(self) -> ServiceClient:
        """The control API, as the admin."""
        return self.service.client("admin")

    def call(self, step: Calls) -> str:
        """Make the call as often as it is to be made; the last answer, its status first."""
        send = partial(self._send, _request(step), self._bearer(step))
        if step.at_once:
            with ThreadPoolExecutor(step.times) as racers:
                return [future.result() for future in [racers.submit(send) for _ in range(step.times)]][-1]
        answer = ""
        for _ in range(step.times):
            answer = send()
        return answer

    def begin(self, step: Calls) -> Thread:
        """Make the call in a thread of its own; on return the first of its answer was heard, or none came in time."""
        heard = Event()
        request, bearer = _request(replace(step, meta={**step.meta, "progressToken": "heard"})), self._bearer(step)
        calling = Thread(target=self._send, args=(request, bearer, heard), name="remit-attack", daemon=True)
        calling.start()
        heard.wait(HEARD_S_MAX)
        return calling

    def read(self, step: Reads) -> str:
        """Read the resource."""
        params = {"uri": step.uri, "_meta": _meta({})}
        return self._send(
            _Request(step.server, "resources/read", step.uri, params, {}), self._session(step.agent, step.session)
        )

    def approve(self) -> bool:
        """Have everybody say yes who may, to the last question that waits; whether it has been lifted."""
        # Newest first: those that are open come in the order of their ends.
        items = self.admin.get("/approvals", limit=1000)["items"]
        ident = next((approval["id"] for approval in items if approval["state"] in OPEN), None)
        if ident is None:
            return False
        for user in sorted(self.users):
            person = ServiceClient(str(self._mint("user", user)["token"]), self.service.url)
            with suppress(CommandFailure):
                person.post(f"/approvals/{ident}/approve")
        return str(self.admin.get(f"/approvals/{ident}")["state"]) == ApprovalState.APPROVED.value

    def _send(self, request: "_Request", bearer: str | None, heard: Event | None = None) -> str:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": request.method, "params": request.params})
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": request.method,
            "mcp-name": request.name,
            **request.headers,
        }
        if bearer is not None:
            headers["authorization"] = f"Bearer {bearer}"
        at = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=CALL_S_MAX)
        try:
            connection.request("POST", f"/mcp/{request.server}", body.encode(), headers)
            response = connection.getresponse()
            first = b"" if heard is None else response.readline()
            if heard is not None:
                heard.set()
            return f"{response.status} {_answer_text(first + response.read())}"
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
                token = self._mint("agent", step.agent)
                self.admin.post("/tokens/revoke", {"token": token["jti"]})
                return str(token["token"])
            case Bearer.EXPIRED:
                token = self._mint("agent", step.agent, ttl_s=1)
                time.sleep(EXPIRED_S)
                return str(token["token"])
            case Bearer.FOREIGN:
                return _foreign_token(self._own(step))
            case Bearer.ORPHAN:
                parent = self._mint("agent", step.via or step.agent)
                child = self._exchange(str(parent["token"]), step.agent)
                self.admin.post("/tokens/revoke", {"token": parent["jti"]})
                return child
            case Bearer.ENDED:
                token = self._open_session(step.agent)
                self.admin.post(f"/sessions/{token['sid']}/end")
                return str(token["token"])

    def _own(self, step: Calls) -> str:
        if step.via is not None:
            return self._exchange(self._session(step.via, step.session), step.agent)
        return self._session(step.agent, step.session)

    def _exchange(self, parent: str, agent: str) -> str:
        form = _EXCHANGE | {"subject_token": parent, "actor": agent}
        try:
            return str(ServiceClient(None, self.service.url).form("/token", form)["access_token"])
        except CommandFailure:
            return "nothing-was-delegated"

    def _session(self, agent: str, name: str) -> str:
        """The token of the session that this attempt calls `name`: the same for every call in it."""
        token = self._tokens.get((agent, name))
        if token is None:
            trusted = self.agents[agent].harness is Harness.TRUSTED
            answer = self._open_session(agent) if trusted else self._mint("agent", agent)
            token = self._tokens[agent, name] = str(answer["token"])
        return token

    def _open_session(self, agent: str) -> Mapping[str, Any]:
        harness = ServiceClient(str(self._mint("harness", agent)["token"]), self.service.url)
        session: Mapping[str, Any] = harness.post("/sessions", {"user": self.user} if self.user else {})
        harness.post(f"/sessions/{session['sid']}/words", {"text": self.words})
        return session

    def _mint(self, kind: str, name: str, ttl_s: int = TOKEN_S) -> Mapping[str, Any]:
        acts_for = {"user": self.user} if self.user and kind == "agent" else {}
        token: Mapping[str, Any] = self.admin.post("/tokens", {"kind": kind, "name": name, "ttl_s": ttl_s, **acts_for})
        return token


@dataclass(frozen=True, slots=True)
class _Request:
    """One message: to which server, its method, what it is about, its parameters, and headers that go along."""

    server: str
    method: str
    name: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]


def _request(step: Calls) -> _Request:
    params = {"name": step.tool, "arguments": step.arguments, "_meta": _meta(step.meta)}
    return _Request(step.server, "tools/call", step.tool, params, step.headers)


def _meta(more: Mapping[str, Json]) -> Mapping[str, Json]:
    protocol = "io.modelcontextprotocol"
    return {f"{protocol}/protocolVersion": VERSION, f"{protocol}/clientCapabilities": {}, **more}


def _foreign_token(token: str) -> str:
    """`token`'s own head and claims under the signature of a key that is not the service's."""
    signed_part = token.rpartition(".")[0]
    signature = Ed25519PrivateKey.generate().sign(signed_part.encode("ascii"))
    return f"{signed_part}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _answer_text(raw: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError, IndexError):
        message = json.loads(raw)
        if "error" in message:
            return str(message["error"]["message"] if isinstance(message["error"], Mapping) else message["error"])
        return str(message["result"]["content"][0]["text"])[:SAID_CHARS_MAX]
    return raw[:SAID_CHARS_MAX].decode("utf-8", "replace")
