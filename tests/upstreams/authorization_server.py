"""A real authorization server, and MCP servers that it guards: `authorization_server.py FOLDER`.

The SDK's authorization server (`mcp.server.auth`) reads authorization, token, registration and
revocation requests, checks clients, redirect URIs and PKCE; what it lacks stands here: the grant
`client_credentials`, client metadata documents, RFC 9207 and RFC 8707. The servers it guards are
the SDK's too. Ports stand in FOLDER/ports.json: `as` and `mcp`, both of one process. `PUT /notes`
at `as` says how to misbehave, `GET /log` tells what was asked and every secret ever given.
"""

import asyncio
import json
import secrets
import socket
import ssl
import sys
import time
import urllib.request
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import uvicorn
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl, AnyUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

FOLDER = Path(sys.argv[1])
LIFE_S = 600
SECRET = (FOLDER / "client-secret").read_text().strip()
SCOPES = "files:read files:list files:write offline_access"
PUBLIC_ID, SERVICE_ID = "known-person-client", "known-service-client"

notes: dict[str, Any] = {}
log: list[Any] = []
given: list[str] = [SECRET]
clients: dict[str, OAuthClientInformationFull] = {}
codes: dict[str, AuthorizationCode] = {}
access: dict[str, AccessToken] = {}
refresh: dict[str, RefreshToken] = {}
resource_of: dict[str, str] = {}


class Provider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """What the SDK's endpoints ask of whoever keeps clients and tokens."""

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        if client_id in clients or not client_id.startswith("https://"):
            return clients.get(client_id)
        document = await asyncio.to_thread(fetch_document, client_id)
        log.append({"document": document})
        assert document["client_id"] == client_id
        return OAuthClientInformationFull.model_validate({**document, "scope": SCOPES})

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        log.append({"registered": client_info.model_dump(mode="json", exclude_none=True)})
        given.extend([client_info.client_secret] if client_info.client_secret else [])
        clients[client_info.client_id or ""] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        log.append({"authorize": {"resource": params.resource, "scopes": params.scopes, "client": client.client_id}})
        told = {"state": params.state, "iss": notes.get("iss", issuer) if notes.get("send_iss", True) else None}
        if notes.get("deny"):
            return construct_redirect_uri(str(params.redirect_uri), error="access_denied", **told)
        code = given_out("code")
        codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id or "",
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, **told)

    async def load_authorization_code(self, client: Any, authorization_code: str) -> AuthorizationCode | None:
        return codes.get(authorization_code)

    async def exchange_authorization_code(self, client: Any, authorization_code: AuthorizationCode) -> OAuthToken:
        del codes[authorization_code.code]
        return issue(client.client_id, authorization_code.scopes, authorization_code.resource or "", renewable=True)

    async def load_refresh_token(self, client: Any, refresh_token: str) -> RefreshToken | None:
        return refresh.get(refresh_token)

    async def exchange_refresh_token(self, client: Any, refresh_token: RefreshToken, scopes: list[str]) -> OAuthToken:
        if notes.get("refresh_refused"):
            raise TokenError("invalid_grant")
        del refresh[refresh_token.token]
        return issue(client.client_id, scopes, resource_of[refresh_token.token], renewable=True)

    async def load_access_token(self, token: str) -> AccessToken | None:
        found = access.get(token)
        return None if found is None or (found.expires_at or 0) <= time.time() else found

    async def verify_token(self, token: str) -> AccessToken | None:
        log.append({"shown": token})
        return await self.load_access_token(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        log.append({"revoked": token.token})
        access.clear()
        refresh.clear()


def given_out(kind: str) -> str:
    token = f"{kind}-canary-{secrets.token_urlsafe(24)}"
    given.append(token)
    return token


def issue(client: str, scopes: list[str], resource: str, *, renewable: bool) -> OAuthToken:
    token, again = given_out("access"), given_out("refresh") if renewable else None
    life_s = notes.get("life_s", LIFE_S)
    until = int(time.time() + life_s) if life_s >= 1 else int(time.time()) - 1
    audience = notes.get("audience", resource)
    access[token] = AccessToken(token=token, client_id=client, scopes=scopes, expires_at=until, resource=audience)
    if again is not None:
        refresh[again] = RefreshToken(token=again, client_id=client, scopes=scopes)
        resource_of[again] = resource
    log.append({"issued": {"client": client, "scopes": scopes, "resource": resource}})
    told_s = notes.get("told_s", life_s)
    return OAuthToken(access_token=token, expires_in=told_s, scope=" ".join(scopes), refresh_token=again)


def fetch_document(url: str) -> dict[str, Any]:
    trusted = ssl.create_default_context(cafile=str(FOLDER / "tls.crt"))
    with urllib.request.urlopen(url, timeout=10, context=trusted) as response:
        return json.loads(response.read())


async def token(request: Request) -> Response:
    """The grant that the SDK's token endpoint does not know; everything else goes on to it."""
    body = dict(await request.form())
    log.append({"token": {key: str(value) for key, value in body.items()}, "basic": "authorization" in request.headers})
    given.extend(str(body[key]) for key in ("code_verifier",) if key in body)
    if notes.get("token_status"):
        return JSONResponse({"error": "server_error"}, status_code=notes["token_status"])
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    ident, _, secret = b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")
    if unquote(ident) != SERVICE_ID or not secrets.compare_digest(unquote(secret), SECRET):
        return JSONResponse({"error": "invalid_client"}, status_code=401)
    scopes = str(body.get("scope", "")).split()
    issued = issue(SERVICE_ID, scopes, str(body.get("resource", "")), renewable=False)
    return JSONResponse(issued.model_dump(exclude_none=True), headers={"Cache-Control": "no-store"})


class Grants:
    """Sends `client_credentials` to `token`, all other requests to the SDK's application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in {"/token", "/revoke"}:
            await self.app(scope, receive, send)
            return
        message = await receive()
        if scope["path"] == "/revoke" and b"client_secret=" not in message["body"]:
            # The SDK's endpoint wants the field of public clients too, empty.
            message = {**message, "body": message["body"] + b"&client_secret="}
            length = (b"content-length", str(len(message["body"])).encode())
            scope["headers"] = [*(pair for pair in scope["headers"] if pair[0] != b"content-length"), length]

        async def again() -> Any:
            return message

        if b"grant_type=client_credentials" in message["body"]:
            response = await token(Request(scope, again))
            await response(scope, again, send)
            return
        if scope["path"] == "/revoke":
            await self.app(scope, again, send)
            return
        form = await Request(dict(scope), again).form()
        given.extend(str(form[key]) for key in ("code_verifier",) if key in form)
        log.append({"token": {key: str(value) for key, value in form.items()}})
        if notes.get("token_status"):
            await JSONResponse({"error": "server_error"}, notes["token_status"])(scope, again, send)
        else:
            await self.app(scope, again, send)


async def metadata(request: Request) -> Response:
    value: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "registration_endpoint": f"{issuer}/register",
        "revocation_endpoint": f"{issuer}/revoke",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        **notes.get("metadata", {}),
    }
    return JSONResponse({name: one for name, one in value.items() if one is not None})


async def resource_metadata(request: Request) -> Response:
    value: dict[str, Any] = {
        "resource": f"{mcp_base}/mcp",
        "authorization_servers": [issuer],
        "scopes_supported": ["files:read"],
        **notes.get("resource", {}),
    }
    return JSONResponse({name: one for name, one in value.items() if one is not None})


async def take_notes(request: Request) -> Response:
    notes.clear()
    notes.update(await request.json())
    if notes.pop("revoke_all", False):
        access.clear()
        refresh.clear()
    if notes.pop("expire_access", False):
        access.clear()
    return JSONResponse({})


async def tell(request: Request) -> Response:
    return JSONResponse({"log": log, "given": given})


async def elsewhere(request: Request) -> Response:
    log.append({"elsewhere": dict(request.headers)})
    return JSONResponse({})


def listening(port: int = 0) -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", port))
    found.listen()
    return found


class Guard:
    """In front of the MCP server: challenges and redirects as `notes` ask."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp":
            if notes.get("redirect"):
                await RedirectResponse(f"{issuer}/elsewhere", 307)(scope, receive, send)
                return
            if notes.get("lacking"):
                value = 'Bearer error="insufficient_scope", scope="files:write"'
                await Response(status_code=403, headers={"www-authenticate": value})(scope, receive, send)
                return

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                headers = [pair for pair in message["headers"] if pair[0] != b"www-authenticate"]
                where = notes.get("resource_metadata", f"{mcp_base}/.well-known/oauth-protected-resource/mcp")
                scope_asked = notes.get("challenge_scope", "files:read files:list")
                value = (
                    f'Basic realm="x", Bearer realm="a, \\"b\\"", resource_metadata="{where}", scope="{scope_asked}"'
                )
                if where is None:
                    value = "Bearer"
                message["headers"] = [*headers, (b"www-authenticate", value.encode())]
            await send(message)

        await self.app(scope, receive, told)


as_socket, mcp_socket = listening(), listening()
issuer = f"http://127.0.0.1:{as_socket.getsockname()[1]}"
mcp_base = f"http://127.0.0.1:{mcp_socket.getsockname()[1]}"
provider = Provider()
server = MCPServer(
    "guarded",
    version="1.0",
    log_level="CRITICAL",
    token_verifier=provider,
    auth=AuthSettings(
        issuer_url=AnyHttpUrl(issuer),
        resource_server_url=AnyHttpUrl(f"{mcp_base}/mcp"),
        required_scopes=None,
        validate_token_resource=True,
    ),
)


@server.tool()
def echo(text: str) -> str:
    """Say it back."""
    with (FOLDER / "effects").open("a") as file:
        file.write(f"{text}\n")
    return text


async def main() -> None:
    clients[PUBLIC_ID] = OAuthClientInformationFull(
        client_id=PUBLIC_ID,
        redirect_uris=[AnyUrl(uri) for uri in (FOLDER / "redirects").read_text().split()],
        token_endpoint_auth_method="none",
        scope=SCOPES,
    )
    routes = create_auth_routes(
        provider,
        AnyHttpUrl(issuer),
        client_registration_options=ClientRegistrationOptions(enabled=True),
        revocation_options=RevocationOptions(enabled=True),
    )
    own = [
        Route("/.well-known/oauth-authorization-server", metadata),
        Route("/notes", take_notes, methods=["PUT"]),
        Route("/log", tell),
        Route("/elsewhere", elsewhere, methods=["GET", "POST"]),
    ]
    guarded = server.streamable_http_app()
    guarded.router.routes.insert(0, Route("/.well-known/oauth-protected-resource/mcp", resource_metadata))
    (FOLDER / "ports.new").write_text(json.dumps({"as": issuer, "mcp": mcp_base}))
    (FOLDER / "ports.new").rename(FOLDER / "ports.json")
    one = uvicorn.Server(uvicorn.Config(Grants(Starlette(routes=[*own, *routes])), log_level="critical"))
    two = uvicorn.Server(uvicorn.Config(Guard(guarded), log_level="critical"))
    await asyncio.gather(one.serve([as_socket]), two.serve([mcp_socket]))


asyncio.run(main())
