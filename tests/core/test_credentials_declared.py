"""Credentials as declared: what is wrong with them is said at apply, and no plain value is ever shown."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.diff import Side, diff
from remit.control.manifests import spec_json
from remit.control.resources import ServerSpec, WorkspaceSource
from remit.facts.catalog import Http
from remit.facts.credential import FromCommand, FromEnv, FromFile, OAuth, OAuthGrant, Secret
from remit.policy.compile import Bundle, compile_bundle
from tests.core.declaring import PERMIT, declare

ENV = Secret(FromEnv("KEY"))
URL = "https://h/mcp"
PERSON = OAuth(OAuthGrant.AUTHORIZATION_CODE)
SERVICE = OAuth(OAuthGrant.CLIENT_CREDENTIALS, "https://as", "me", ENV)


def oauth(
    issuer: str | None = None, client: str | None = None, secret: Secret | None = None, scopes: tuple[str, ...] = ()
) -> OAuth:
    return OAuth(OAuthGrant.AUTHORIZATION_CODE, issuer, client, secret, scopes)


WRONG: list[tuple[ServerSpec, str, str]] = [
    (ServerSpec(url=URL, headers={"X Key": ENV}), "server/header", "cannot name a header"),
    (ServerSpec(url=URL, headers={"Host": ENV}), "server/header", "belongs to the protocol"),
    (ServerSpec(url=URL, headers={"MCP-Session-Id": ENV}), "server/header", "belongs to the protocol"),
    (ServerSpec(url=URL, headers={"authorization": ENV}, oauth=PERSON), "server/header", "not both"),
    (ServerSpec(url=URL, headers={"X-Key": ENV, "x-key": ENV}), "server/header", "differ only in the case"),
    (ServerSpec(url=URL, headers={"X": Secret(FromEnv("1"))}), "secret/env", "cannot name an environment variable"),
    (ServerSpec(url=URL, headers={"X": Secret(FromFile("rel"))}), "secret/file", "no absolute path"),
    (ServerSpec(url=URL, headers={"X": Secret(FromFile("/a\0"))}), "secret/file", "no absolute path"),
    (ServerSpec(url=URL, headers={"X": Secret(FromCommand(()))}), "secret/command", "starts with a program"),
    (ServerSpec(url=URL, headers={"X": Secret(FromCommand(("a\0",)))}), "secret/command", "holds no NUL"),
    (ServerSpec(url=URL, headers={"X": Secret(FromEnv("A"), "ü")}), "secret/prefix", "printable ASCII"),
    (ServerSpec(command=("x",), headers={"X": ENV}), "server/transport", "go with url"),
    (ServerSpec(command=("x",), oauth=PERSON), "server/transport", "go with url"),
    (ServerSpec(command=("x",), env={"A": Secret(FromFile("rel"))}), "secret/file", "no absolute path"),
    (ServerSpec(url="http://h/mcp", headers={"X": ENV}), "server/url", "a credential over plain http"),
    (ServerSpec(url="http://h/mcp", oauth=PERSON), "server/url", "a credential over plain http"),
    (ServerSpec(url="http://[::1/mcp", oauth=PERSON), "server/url", "cannot be read"),
    (ServerSpec(url=URL, oauth=oauth("http://as")), "oauth/issuer", "over plain http"),
    (ServerSpec(url=URL, oauth=oauth("https://as?x=1")), "oauth/issuer", "is not an https"),
    (ServerSpec(url=URL, oauth=oauth("https://[::1")), "oauth/issuer", "cannot be read"),
    (ServerSpec(url=URL, oauth=oauth(None, "me", ENV)), "oauth/issuer", "without issuer"),
    (ServerSpec(url=URL, oauth=oauth("https://as", None, ENV)), "oauth/client", "without client_id"),
    (ServerSpec(url=URL, oauth=replace(SERVICE, client_secret=None)), "oauth/client", "needs client_id and"),
    (ServerSpec(url=URL, oauth=oauth(None, "a b")), "oauth/client", "printable ASCII"),
    (ServerSpec(url=URL, oauth=oauth(scopes=('a"b',))), "oauth/scope", "is no scope"),
    (
        ServerSpec(url=URL, oauth=OAuth(OAuthGrant.CLIENT_CREDENTIALS, "https://as", "me", Secret(FromFile("rel")))),
        "secret/file",
        "no absolute path",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "code", "what"), WRONG)
def test_what_is_wrong_about_a_credential_is_said_at_apply(spec: ServerSpec, code: str, what: str) -> None:
    found = assemble(WorkspaceSource((declare("shop", spec),), (PERMIT,)))
    assert isinstance(found, AssemblyRefused)
    assert any(problem.code == code and what in problem.what for problem in found.errors), found.errors


GOOD = (
    ServerSpec(url=URL, headers=MappingProxyType({"X-Key": ENV}), oauth=SERVICE),
    ServerSpec(url=URL, oauth=oauth("https://as/tenant", "me", None, ("a", "b:c"))),
    ServerSpec(url="http://127.0.0.1:1/mcp", oauth=oauth("http://localhost:2")),
    ServerSpec(url=URL, headers={"Authorization": Secret(FromFile("/run/secret"), "Bearer ")}),
    ServerSpec(command=("x",), env={"A": "plain-canary", "B": Secret(FromCommand(("pass", "show")))}),
)


def assembled(spec: ServerSpec) -> Assembled:
    found = assemble(WorkspaceSource((declare("shop", spec),), (PERMIT,)))
    assert isinstance(found, Assembled), found
    return found


@pytest.mark.parametrize("spec", GOOD)
def test_references_are_shown_and_plain_values_are_not(spec: ServerSpec) -> None:
    found = assembled(spec)
    shown = str(spec_json(spec))
    assert "canary" not in shown
    if spec.oauth is not None:
        assert spec.oauth.grant.value in shown
    transport = found.catalog.servers["shop"].transport
    assert not isinstance(transport, Http) or (transport.headers, transport.oauth) == (spec.headers, spec.oauth)


def test_how_references_are_written() -> None:
    assert Secret(FromFile("/s"), "Bearer ").to_json() == {"file": "/s", "prefix": "Bearer "}
    assert Secret(FromCommand(("a", "b"))).to_json() == {"command": ["a", "b"]}
    assert oauth("https://as", "me", ENV, ("s",)).to_json() == {
        "grant": "authorization_code",
        "issuer": "https://as",
        "client_id": "me",
        "client_secret": {"env": "KEY"},
        "scopes": ["s"],
    }


def digest(spec: ServerSpec) -> str:
    compiled = compile_bundle(assembled(spec).catalog).result
    assert isinstance(compiled, Bundle)
    return compiled.digest


def test_a_changed_credential_is_another_bundle_and_shows_in_the_difference() -> None:
    plain, person, service = ServerSpec(url=URL), ServerSpec(url=URL, oauth=PERSON), ServerSpec(url=URL, oauth=SERVICE)
    header = ServerSpec(url=URL, headers={"X-Key": ENV})
    assert len({digest(spec) for spec in (plain, person, service, header)}) == 4
    (change,) = diff(Side(assembled(person).catalog, {}), Side(assembled(service).catalog, {}))
    assert any("client_credentials" in line for line in change.lines)
    before, after = (ServerSpec(command=("x",), env={"A": value}) for value in ("one-canary", ENV))
    (change,) = diff(Side(assembled(before).catalog, {}), Side(assembled(after).catalog, {}))
    assert "canary" not in "".join(change.lines)
