"""What is wrong about declared credentials, before anything is resolved or sent."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from remit.control.problems import ProblemSeverity, WorkspaceProblem
from remit.control.resources import Resource, ServerSpec
from remit.facts.credential import FromCommand, FromEnv, FromFile, OAuth, OAuthGrant, Secret

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]{1,512}")
_PREFIX: Final = re.compile(r"[\x20-\x7e]{0,64}")
_PROTOCOL_HEADERS: Final = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie",
        "expect", "host", "keep-alive", "last-event-id", "origin", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "forwarded", "set-cookie",
    }
)  # fmt: skip
"""Headers that belong to the protocol or the connection, besides those that begin with mcp-."""


def credential_problems(resource: Resource, spec: ServerSpec) -> list[WorkspaceProblem]:
    """What is wrong about `headers` and `oauth` of a server reached by url."""
    problems: list[WorkspaceProblem] = []
    for name, value in spec.headers.items():
        path = f"spec.headers.{name}"
        lower = name.lower()
        if not _HEADER.fullmatch(name):
            what = f"{name[:64]!r} cannot name a header"
            problems.append(WorkspaceProblem("server/header", resource.at(path), what))
        elif lower in _PROTOCOL_HEADERS or lower.startswith("mcp-"):
            what = f"the header {name[:64]!r} belongs to the protocol"
            problems.append(WorkspaceProblem("server/header", resource.at(path), what, hint="leave it out"))
        elif lower == "authorization" and spec.oauth is not None:
            what = "a server has an Authorization header or oauth, not both"
            problems.append(WorkspaceProblem("server/header", resource.at(path), what))
        problems += secret_problems(resource, path, value)
    if len({name.lower() for name in spec.headers}) < len(spec.headers):
        what = "two headers differ only in the case of their letters"
        problems.append(WorkspaceProblem("server/header", resource.at("spec.headers"), what))
    if spec.oauth is not None:
        problems += _oauth_problems(resource, spec.oauth)
    if spec.headers or spec.oauth is not None:
        problems += _plain_http(resource, spec)
    return problems


def secret_problems(resource: Resource, path: str, secret: Secret) -> Iterator[WorkspaceProblem]:
    """What is wrong about the reference at `path`."""
    where = resource.at(path)
    match secret.origin:
        case FromEnv(name) if not VARIABLE.fullmatch(name):
            yield WorkspaceProblem("secret/env", where, f"{name[:64]!r} cannot name an environment variable")
        case FromFile(file) if not file.startswith("/") or "\0" in file:
            yield WorkspaceProblem("secret/file", where, f"{file[:64]!r} is no absolute path", hint="begin it with /")
        case FromCommand(argv) if not argv or not argv[0] or any("\0" in word for word in argv):
            yield WorkspaceProblem("secret/command", where, "a command starts with a program and holds no NUL")
        case _:
            pass
    if not _PREFIX.fullmatch(secret.prefix):
        yield WorkspaceProblem("secret/prefix", where, "a prefix has at most 64 printable ASCII characters")


def _oauth_problems(resource: Resource, oauth: OAuth) -> Iterator[WorkspaceProblem]:
    where = resource.at("spec.oauth")
    if oauth.issuer is not None:
        yield from _issuer_problems(resource, oauth.issuer)
    if oauth.client_secret is not None:
        yield from secret_problems(resource, "spec.oauth.client_secret", oauth.client_secret)
        if oauth.issuer is None:
            what = "client_secret is there without issuer"
            why = "the server itself could name an authorization server of its own and be sent the secret"
            hint = "name the authorization server that gave it to you"
            yield WorkspaceProblem("oauth/issuer", where, what, why, hint)
        if oauth.client_id is None:
            yield WorkspaceProblem("oauth/client", where, "client_secret is there without client_id")
    if oauth.grant is OAuthGrant.CLIENT_CREDENTIALS and (oauth.client_id is None or oauth.client_secret is None):
        what = "client_credentials needs client_id and client_secret"
        yield WorkspaceProblem("oauth/client", where, what, "there is no person who could log in")
    if oauth.client_id is not None and not _PRINTABLE.fullmatch(oauth.client_id):
        what = "client_id has 1 to 512 printable ASCII characters without spaces"
        yield WorkspaceProblem("oauth/client", resource.at("spec.oauth.client_id"), what)
    for scope in oauth.scopes:
        if not SCOPE.fullmatch(scope):
            yield WorkspaceProblem(
                "oauth/scope", resource.at("spec.oauth.scopes"), f"{scope[:64]!r} is no scope (RFC 6749)"
            )


def _issuer_problems(resource: Resource, issuer: str) -> Iterator[WorkspaceProblem]:
    where = resource.at("spec.oauth.issuer")
    try:
        parts = urlsplit(issuer)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        yield WorkspaceProblem("oauth/issuer", where, f"the issuer cannot be read: {error}"[:200])
        return
    if not host or parts.scheme not in {"https", "http"} or parts.username is not None or parts.query or parts.fragment:
        what = "the issuer is not an https address without user, query and fragment"
        yield WorkspaceProblem("oauth/issuer", where, what)
    elif parts.scheme == "http" and host not in LOOPBACK:
        what = "the issuer is reached over plain http"
        yield WorkspaceProblem(
            "oauth/issuer", where, what, "codes, secrets and tokens would cross the network in the open"
        )


def _plain_http(resource: Resource, spec: ServerSpec) -> Iterator[WorkspaceProblem]:
    try:
        parts = urlsplit(spec.url or "")
    except ValueError:
        return
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        what = f"{resource.name[:64]!r} is sent a credential over plain http"
        why = "anyone on the way can read and use it"
        yield WorkspaceProblem(
            "server/url", resource.at("spec.url"), what, why, "write https", severity=ProblemSeverity.ERROR
        )
