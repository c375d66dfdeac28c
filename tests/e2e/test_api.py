"""Every route with every kind of credential, and what every refusal says."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from remit.api.access import ACCESS, STILL, CredentialKind
from remit.api.main import create_api, routes
from remit.ports.signer import TokenRefusal
from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODIES: dict[str, Any] = {
    "/apply": {"dry_run": True},
    "/tools/accept": {"server": "hand"},
    "/tokens": {"kind": "agent", "name": "bot"},
    "/tokens/revoke": {"token": "0" * 32},
    "/sessions": {},
    "/sessions/{sid}/words": {"text": "hello"},
    "/approvals/{ident}/approve": {},
    "/approvals/{ident}/deny": {},
    "/can": {"agent": "bot", "server": "hand", "tool": "echo"},
}
NOWHERE = {
    "{kind}": "agents",
    "{name:path}": "nobody",
    "{sid}": "0" * 32,
    "{ident}": "r0-1.1",
    "{ref}": "r0-1.1",
}
ENDED = "SECRET" * 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("api")) as made:
        yield made


async def credentials(api: World) -> dict[CredentialKind, str]:
    harness = await api.token("harness", "coach")
    return {
        CredentialKind.ADMIN: api.admin,
        CredentialKind.USER: await api.token("user", "ann"),
        CredentialKind.AGENT: await api.token("agent", "bot", user="req"),
        CredentialKind.HARNESS: harness,
    }


def filled(path: str) -> str:
    for name, value in NOWHERE.items():
        path = path.replace(name, value)
    return path


async def test_the_table_and_the_routes_are_one_set(api: World):
    create_api(api.services)
    assert routes() == set(ACCESS)


@pytest.mark.parametrize(("method", "path"), sorted(ACCESS))
async def test_each_route_admits_the_kinds_of_its_row_and_no_other(api: World, method: str, path: str):
    for kind, token in (await credentials(api)).items():
        answer = await api.head(method, filled(path), token, BODIES.get(path))
        if CredentialKind.NOBODY in ACCESS[method, path]:
            assert answer.status_code in {400, 415}, answer.text
        elif kind in ACCESS[method, path]:
            assert answer.status_code not in {401, 403, 405, 415, 500}, f"{kind}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{kind}: {answer.status_code} {answer.text}"
            assert kind.value in answer.json()["why"]
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"), sorted(key for key, kinds in ACCESS.items() if CredentialKind.USER in kinds and key[0] != "GET")
)
async def test_who_is_stopped_himself_is_refused_whatever_lets_more_act(api: World, method: str, path: str):
    cat = await api.token("user", "cat")
    await api.told("POST", "/halts", body={"kind": "user", "name": "cat", "why": "stolen"})
    try:
        answer = await api.ask(method, filled(path), cat, BODIES.get(path))
        refused = answer.status_code == 403 and answer.json()["why"] == "user cat was stopped by admin: stolen"
        assert refused is ((method, path) not in STILL), answer.text
    finally:
        await api.told("POST", "/halts/resume", body={"kind": "user", "name": "cat"})


@pytest.mark.parametrize(
    ("method", "path"), sorted(key for key, kinds in ACCESS.items() if CredentialKind.NOBODY not in kinds)
)
async def test_no_route_answers_without_a_credential(api: World, method: str, path: str):
    session = await api.token("agent", "bot", ttl_s=600)
    for token, cause in (
        (None, TokenRefusal.MISSING),
        ("nonsense", TokenRefusal.MALFORMED),
        (session[:-5], TokenRefusal.UNKNOWN),
    ):
        answer = await api.ask(method, filled(path), token, BODIES.get(path))
        assert answer.status_code == 401, answer.text
        assert answer.json()["cause"] == cause.value
        assert answer.json()["next"]
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        assert ("invalid_token" in challenge) == (cause is not TokenRefusal.MISSING)


async def test_a_session_token_is_an_agents(api: World):
    harness = await api.token("harness", "coach")
    opened = await api.told("POST", "/sessions", harness, {})
    answer = await api.ask("GET", "/status", opened["token"])
    assert (answer.status_code, "agent" in answer.json()["why"]) == (403, True)


async def test_a_credential_is_refused_before_its_body_is_read(api: World):
    answer = await api.ask("POST", "/apply", None, headers={"content-type": "text/plain"}, content=b"{" * 2_000_000)
    assert answer.status_code == 401
    answer = await api.ask("POST", "/apply", await api.token("user", "ann"), {"unknown": 1})
    assert answer.status_code == 403


async def test_two_authorization_headers_are_refused(api: World):
    sent = [("authorization", f"Bearer {api.admin}"), ("authorization", "Bearer x")]
    answer = await api.http.get(f"{api.url}/api/v1/status", headers=sent)
    assert (answer.status_code, answer.json()["cause"]) == (401, "malformed")
    basic = await api.http.get(f"{api.url}/api/v1/status", headers={"authorization": f"Basic {api.admin}"})
    assert basic.status_code == 401


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "malformed"),
        (b'{"dry_run": true, "dry_run": false}', "duplicate"),
        (b'{"dry_run": NaN}', "json"),
        (b'{"dry_run": 1e999}', "json"),
        (b'\xff{"dry_run": true}', "json"),
        (b'{"dry_run": "\\ud800"}', "json"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "json"),
        (b"[]", "malformed"),
        (b'{"dry_run": "true"}', "dry_run"),
        (b'{"dry_run": true, "force": true}', "force"),
    ],
)
async def test_bytes_with_two_meanings_or_none_are_refused(api: World, body: bytes, says: str):
    answer = await api.ask("POST", "/apply", api.admin, headers={"content-type": "application/json"}, content=body)
    assert answer.status_code == 400, answer.text
    assert says in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_limits_and_media_types_are_said(api: World):
    big = json.dumps({"dry_run": True, "x": "y" * 1_100_000}).encode()
    answer = await api.ask("POST", "/apply", api.admin, headers={"content-type": "application/json"}, content=big)
    assert answer.status_code == 413
    answer = await api.ask("POST", "/apply", api.admin, headers={"content-type": "text/plain"}, content=b"{}")
    assert answer.status_code == 415
    assert (await api.ask("PUT", "/apply", api.admin, {})).status_code == 405
    assert (await api.ask("GET", "/no/such", api.admin)).status_code == 404
    assert (await api.ask("GET", "/approvals/not-an-id", api.admin)).status_code == 400
    assert (await api.ask("GET", "/sessions?limit=0", api.admin)).status_code == 400


async def test_a_refusal_never_repeats_what_was_sent(api: World):
    for path, body in (
        ("/tokens", {"kind": "agent", "name": ENDED + "!", "ttl_s": ENDED}),
        ("/tokens/revoke", {"token": ENDED}),
        ("/tokens/revoke", {"token": [ENDED]}),
    ):
        answer = await api.ask("POST", path, api.admin, body)
        assert answer.status_code == 400
        assert ENDED not in answer.text


async def test_answers_are_not_stored_and_no_origin_is_welcomed(api: World):
    answer = await api.ask("GET", "/status", api.admin)
    assert answer.headers["cache-control"] == "no-store"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    other = await api.ask("GET", "/status", api.admin, headers={"origin": "http://example.org"})
    assert other.status_code == 403


async def test_a_user_who_left_the_bundle_is_nobody(api: World):
    token = await api.token("user", "dan")
    assert (await api.ask("GET", "/status", token)).status_code == 200
    people = api.workspace / "people.yaml"
    whole = people.read_text()
    try:
        people.write_text(whole.replace('name: "dan"', 'name: "don"'))
        await api.told("POST", "/apply", body={})
        answer = await api.ask("GET", "/status", token)
        assert answer.status_code == 403
        assert "no user of the running bundle" in answer.json()["why"]
    finally:
        people.write_text(whole)
        await api.told("POST", "/apply", body={})
