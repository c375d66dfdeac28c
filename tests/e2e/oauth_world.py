"""An authorization server with the servers it guards, a real `remit up` in front, and a browser."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from proof.service import Service, environment
from tests.eventually import WITHIN_S, awaited

PROGRAM: Final = Path(__file__).parents[1] / "upstreams" / "authorization_server.py"
CLIENT_SECRET: Final = "client-secret-canary-7c1d0b"
PERSON: Final = "grant: authorization_code"
SERVICE: Final = (
    "grant: client_credentials, issuer: ISSUER, client_id: known-service-client, "
    "client_secret: {file: FOLDER/client-secret}, scopes: [files:read]"
)
RESOURCES: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: platform, purpose: reads files}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: guarded}
spec: {url: "URL", verify_s: 3600, oauth: {OAUTH}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: guarded/echo}
spec: {effect: read, sink: none, source: []}
"""
POLICY: Final = '@id("all") permit (principal, action in Remit::Action::"server:guarded", resource);\n'


@dataclass
class Guarded:
    """The world. `base` is where people reach Remit, its own address unless something stands before it."""

    root: Path
    oauth: str = PERSON
    base: str = ""
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    issuer: str = ""
    server: str = ""
    trusted: ssl.SSLContext | None = None
    accepted: bool = False
    declared: tuple[str, str] = ("", "")
    tokens: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.service = Service(self.root, flags=self.flags)
        self.base = self.base or self.service.url
        (self.root / "client-secret").write_text(f"{CLIENT_SECRET}\n")
        (self.root / "redirects").write_text(f"{self.base}/oauth/callback")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stop()
        if self.process is not None:
            self.process.kill()
            self.process.wait(WITHIN_S)

    def start(self) -> None:
        """Both processes; no login yet."""
        with (self.root / "authorization_server.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, PROGRAM, self.root], stdout=log, stderr=log, env=environment()
            )
        ports = self.root / "ports.json"
        process = self.process
        awaited(lambda: ports.exists() or process.poll() is not None)
        assert process.poll() is None, (self.root / "authorization_server.log").read_text()
        found = json.loads(ports.read_text())
        self.issuer, self.server = found["as"], found["mcp"]
        self.declare(self.oauth)
        self.service.write({"policy.cedar": POLICY})
        self.service.start()

    def declare(self, oauth: str, url: str = "") -> None:
        """Write the workspace with this `oauth`."""
        self.declared = (oauth, url)
        oauth = oauth.replace("ISSUER", self.issuer).replace("FOLDER", str(self.root))
        text = RESOURCES.replace("{OAUTH}", f"{{{oauth}}}").replace("URL", url or f"{self.server}/mcp")
        self.service.write({"resources.yaml": text})

    def redeclare(self, oauth: str, url: str = "") -> None:
        """Change the declaration of the running service, unless that is what runs."""
        if (oauth, url) != self.declared:
            self.declare(oauth, url)
            self.service.apply()

    def notes(self, **values: Any) -> None:
        """How the authorization server and the guard shall behave from now on."""
        self._ask(f"{self.issuer}/notes", json.dumps(values).encode(), "PUT")

    def log(self, kind: str) -> list[Any]:
        """What was asked at the authorization server and the guard, of one kind."""
        return [entry[kind] for entry in self._ask(f"{self.issuer}/log")["log"] if kind in entry]

    def given(self) -> list[str]:
        """Every secret that was ever given out or shown: the canaries."""
        return list(self._ask(f"{self.issuer}/log")["given"])

    def effects(self) -> list[str]:
        """What the tool was called with."""
        path = self.root / "effects"
        return path.read_text().split() if path.exists() else []

    def begin(self) -> str:
        """Begin a login; the address for the browser."""
        done = self.service.remit("servers", "login", "guarded", "--no-wait")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def login(self, **notes: Any) -> None:
        """Log in as a person would, with `notes` from then on, and accept the server's tools."""
        self.notes(**notes)
        status, text = self.browse(self.begin())
        assert status == 200, text
        if not self.accepted:
            self.service.accept("guarded")
            self.accepted = True

    def browse(self, url: str) -> tuple[int, str]:
        """Open `url`, follow where it leads; status and text of where that ends."""
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.trusted))
        try:
            with opener.open(url, timeout=WITHIN_S) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def answer_of(self, url: str) -> str:
        """Where the authorization server sends the browser, which does not go there yet."""

        class Stop(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
                return None

        try:
            urllib.request.build_opener(Stop).open(url, timeout=WITHIN_S)
        except urllib.error.HTTPError as error:
            with error:
                return error.headers["Location"]
        raise AssertionError("the browser was not sent on")

    async def call(self, text: str) -> tuple[bool, str]:
        """One `tools/call` of echo by the agent: whether it failed, and what was said."""
        if not self.tokens:
            self.tokens.append(self.service.agent("clerk"))
        headers = {"authorization": f"Bearer {self.tokens[0]}"}
        async with httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(60)) as http:
            transport = streamable_http_client(f"{self.service.url}/mcp/guarded", http_client=http)
            async with Client(transport) as client:
                result = await client.call_tool("echo", {"text": text})
        return bool(result.is_error), "".join(getattr(part, "text", "") for part in result.content)

    def credential(self) -> dict[str, Any]:
        """What `describe` says of the credential."""
        return dict(self.service.told("describe", "server", "guarded")["status"]["credential"])

    def leaks(self, canaries: list[str], *, beside: tuple[Path, ...] = ()) -> list[str]:
        """Files under the service's folders, and text it answers, that hold a canary in the open."""
        found: list[str] = []
        for path in (
            *self.service.data.rglob("*"),
            *self.service.workspace.rglob("*"),
            self.root / "service.log",
            *beside,
        ):
            if path.is_file():
                data = path.read_bytes()
                found += [f"{path}: {canary[:12]}" for canary in canaries if canary.encode() in data]
        return found

    def _ask(self, url: str, body: bytes | None = None, method: str = "GET") -> Any:
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=WITHIN_S) as response:
            return json.loads(response.read())


def modes(folder: Path) -> dict[str, str]:
    """The mode of each file below `folder`."""
    return {path.name: f"{path.stat().st_mode & 0o777:03o}" for path in folder.rglob("*") if path.is_file()}
