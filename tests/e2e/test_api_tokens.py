"""Credentials over the API: minted, delegated, revoked, re-keyed, and never on the ledger."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.api.exchange import ACCESS_TOKEN, GRANT
from remit.facts.limits import Limits
from remit.pep.answer import Refused, Released
from remit.ports.signer import TokenInvalid, TokenRefusal
from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("tokens")) as made:
        yield made


def cause(api: World, token: str) -> TokenRefusal:
    with pytest.raises(TokenInvalid) as refused:
        api.authority(token)
    return refused.value.cause


async def test_each_mint_is_a_new_root_and_acts(api: World):
    first, second = [await api.mint("agent", "bot", user="req") for _ in range(2)]
    assert first["sid"] != second["sid"]
    assert (first["name"], first["user"], first["kind"]) == ("bot", "req", "agent")
    assert isinstance(await api.call(first["token"], "echo", {"text": "x"}), Released)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"kind": "agent", "name": "nobody"}, 404, "no such agent"),
        ({"kind": "user", "name": "nobody"}, 404, "no such user"),
        ({"kind": "agent", "name": "bot", "user": "nobody"}, 404, "no such user"),
        ({"kind": "harness", "name": "bot"}, 409, "untrusted"),
        ({"kind": "user", "name": "ann", "user": "ben"}, 400, "belong to agent tokens"),
        ({"kind": "harness", "name": "coach", "sid": "0" * 32}, 400, "belong to agent tokens"),
        ({"kind": "agent", "name": "bot", "sid": "0" * 32}, 404, "no such session"),
        ({"kind": "agent", "name": "bot", "ttl_s": 0}, 400, "ttl_s"),
        ({"kind": "agent", "name": "bot", "ttl_s": 99_999_999}, 400, "ttl_s"),
        ({"kind": "admin", "name": "bot"}, 400, "kind"),
        ({"kind": "agent", "name": "b*t"}, 400, "name"),
    ],
)
async def test_a_mint_that_cannot_be_says_why(api: World, body: dict[str, object], status: int, says: str):
    answer = await api.ask("POST", "/tokens", api.admin, body)
    assert answer.status_code == status, answer.text
    assert says in answer.text


async def test_tokens_are_listed_by_what_became_of_them_and_never_told(api: World):
    async def listed(**query: object) -> dict[str, dict[str, Any]]:
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        answer = await api.told("GET", f"/tokens?{asked}")
        assert not answer["more"]
        return {one["jti"]: one for one in answer["items"]}

    kept, gone = [await api.mint("agent", "bot", user="req") for _ in range(2)]
    person = await api.mint("user", "cat")
    assert isinstance(await api.call(kept["token"], "echo", {"text": "x"}), Released)
    child = (await api.delegate(gone["token"], "sub")).json()["access_token"]
    found = await listed(name="bot")
    [sub] = [one for one in found.values() if one["came_from"] == [gone["jti"]]]
    assert (sub["name"], sub["agents"], sub["state"]) == ("sub", ["bot", "sub"], "live")
    assert person["jti"] not in found
    one = found[kept["jti"]]
    assert (one["kind"], one["name"], one["user"], one["sid"]) == ("agent", "bot", "req", kept["sid"])
    assert (one["state"], one["until"], one["by"]) == ("live", kept["expires"], "admin")
    assert one["since"] <= one["used"] <= one["until"]
    assert next(iter(found)) == sub["jti"], "the latest first"
    assert (await listed(name="cat"))[person["jti"]]["used"] is None
    await api.told("POST", "/tokens/revoke", body={"token": gone["jti"]})
    assert not {gone["jti"], sub["jti"]} & (await listed()).keys()
    ended = await listed(ended="true")
    assert [ended[jti]["state"] for jti in (kept["jti"], gone["jti"], sub["jti"])] == ["live", "revoked", "revoked"]
    told = (await api.ask("GET", "/tokens?ended=true", api.admin)).text
    for secret in (kept["token"], gone["token"], child):
        assert secret.rsplit(".", 1)[1] not in told
    few = await api.told("GET", "/tokens?limit=1")
    assert (len(few["items"]), few["more"]) == (1, True)
    assert (await api.ask("GET", "/tokens", await api.token("user", "cat"))).status_code == 403


async def test_renewal_keeps_the_root_of_a_session(api: World):
    minted = await api.mint("agent", "bot", user="req")
    await api.call(minted["token"], "echo", {"text": "x"})
    again = await api.mint("agent", "bot", user="req", sid=minted["sid"])
    assert again["sid"] == minted["sid"]
    assert again["jti"] != minted["jti"]
    body = {"kind": "agent", "name": "bot", "user": "ann", "sid": minted["sid"]}
    assert (await api.ask("POST", "/tokens", api.admin, body)).status_code == 409
    await api.told("POST", f"/sessions/{minted['sid']}/end", body={})
    body = {"kind": "agent", "name": "bot", "user": "req", "sid": minted["sid"]}
    ended = await api.ask("POST", "/tokens", api.admin, body)
    assert (ended.status_code, "ended" in ended.text) == (409, True)


async def test_a_derived_session_is_not_renewed_alone(api: World):
    parent = await api.token("agent", "bot", user="req")
    child = (await api.delegate(parent, "sub")).json()["access_token"]
    await api.call(child, "echo", {"text": "x"})
    sid = api.authority(child).acting.sid
    answer = await api.ask("POST", "/tokens", api.admin, {"kind": "agent", "name": "sub", "user": "req", "sid": sid})
    assert (answer.status_code, "root session" in answer.text) == (409, True)


async def test_a_delegated_token_acts_for_the_same_user_in_the_same_root(api: World):
    parent = await api.mint("agent", "bot", user="req", ttl_s=600)
    answer = await api.delegate(parent["token"], "sub", expires_in="9000")
    told = answer.json()
    assert (answer.status_code, told["token_type"], told["issued_token_type"]) == (200, "Bearer", ACCESS_TOKEN)
    assert answer.headers["cache-control"] == "no-store"
    assert told["expires_in"] <= 600
    found = api.authority(told["access_token"])
    assert found.agents == ("bot", "sub")
    assert (found.user, found.links[0].sid) == ("req", parent["sid"])
    assert found.ancestors == (parent["jti"],)
    assert isinstance(await api.call(told["access_token"], "echo", {"text": "x"}), Released)
    shorter = (await api.delegate(parent["token"], "sub", expires_in="5")).json()
    assert shorter["expires_in"] == 5


async def test_a_delegation_that_policy_forbids_is_refused_and_on_the_ledger(api: World):
    token = await api.token("agent", "bot", user="req")
    answer = await api.delegate(token, "eve")
    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert "nothing is handed to eve" in answer.json()["error_description"]
    why = await api.told("GET", f"/why/{answer.json()['decision']}")
    assert (why["verdict"], why["action"]["kind"], why["action"]["tool"]) == ("deny", "delegate", "eve")
    assert why["policies"][0]["id"] == "nobody-to-eve"


async def test_an_escalated_delegation_is_granted_once_a_person_approves(api: World):
    token = await api.token("agent", "bot", user="req")
    pending = (await api.delegate(token, "guest")).json()
    assert pending["error"] == "authorization_pending"
    assert (await api.delegate(token, "guest")).json()["decision"] == pending["decision"]
    ann = await api.token("user", "ann")
    await api.told("POST", f"/approvals/{pending['decision']}/approve", ann, {})
    assert (await api.delegate(token, "guest")).status_code == 200
    assert (await api.told("GET", f"/approvals/{pending['decision']}"))["state"] == "succeeded"
    assert (await api.delegate(token, "guest")).json()["error"] == "authorization_pending"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "nonsense"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"actor": ""}, "invalid_request"),
        ({"actor": "nobody"}, "invalid_target"),
        ({"actor": "bot"}, "access_denied"),
        ({"actor_token": "x"}, "invalid_request"),
        ({"scope": "all"}, "invalid_scope"),
        ({"resource": "http://elsewhere"}, "invalid_target"),
        ({"audience": "http://elsewhere"}, "invalid_target"),
        ({"expires_in": "-1"}, "invalid_request"),
        ({"expires_in": "1.5"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"),
    ],
)
async def test_an_exchange_that_cannot_be_says_why_in_oauths_words(api: World, change: dict[str, str], error: str):
    form = {
        "grant_type": GRANT,
        "subject_token": await api.token("agent", "bot"),
        "subject_token_type": ACCESS_TOKEN,
        "actor": "sub",
        **change,
    }
    answer = await api.http.post(f"{api.url}/api/v1/token", data=form)
    assert answer.status_code in {400, 401, 403}
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


@pytest.mark.parametrize("body", [b"", b"a=1&a=2", b"%ff=%ff", b"actor=a&actor=b", b"&".join([b"x=1"] * 50), b"=&;="])
async def test_an_odd_form_is_refused(api: World, body: bytes):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await api.http.post(f"{api.url}/api/v1/token", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in {"invalid_request", "unsupported_grant_type"}


@pytest.mark.parametrize("kind", ["user", "harness"])
async def test_only_an_agents_authority_is_handed_on(api: World, kind: str):
    token = await api.token(kind, "ann" if kind == "user" else "coach")
    for bearer in (token, api.admin):
        answer = await api.delegate(bearer, "sub")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_request")
        assert answer.json()["cause"] == "wrong-kind"
        assert "invalid_token" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("by_id", [True, False])
async def test_revoking_ends_a_token_and_what_came_from_it_at_once(api: World, by_id: bool):
    parent = await api.mint("agent", "bot", user="req")
    child = (await api.delegate(parent["token"], "sub")).json()["access_token"]
    assert isinstance(await api.call(child, "echo", {"text": "x"}), Released)
    authority = api.authority(child)
    told = parent["jti"] if by_id else parent["token"]
    assert (await api.told("POST", "/tokens/revoke", body={"token": told}))["jti"] == parent["jti"]
    assert cause(api, parent["token"]) is TokenRefusal.REVOKED
    assert cause(api, child) is TokenRefusal.REVOKED
    assert (await api.delegate(child, "other")).json()["cause"] == "revoked"
    held = await api.act(authority, "echo", {})
    assert isinstance(held, Refused), "a call that was authenticated before the revocation"
    assert parent["jti"] in await api.services.ledger.revoked_tokens()
    again = await api.ask("POST", "/tokens/revoke", api.admin, {"token": parent["token"]})
    assert again.status_code == 409


async def test_revoking_a_harness_ends_its_sessions(api: World):
    harness = await api.mint("harness", "coach")
    opened = await api.told("POST", "/sessions", harness["token"], {"user": "req"})
    await api.told("POST", "/tokens/revoke", body={"token": harness["jti"]})
    assert cause(api, opened["token"]) is TokenRefusal.REVOKED


async def test_a_rotated_key_still_verifies(api: World):
    token = await api.token("agent", "bot")
    first = await api.told("POST", "/keys/rotate", body={})
    second = await api.told("POST", "/keys/rotate", body={})
    assert first["kid"] != second["kid"]
    services = api.services
    assert services.signer.verify(token, services.clock.now_ms())
    assert isinstance(await api.call(token, "echo", {"text": "x"}), Released)


async def test_each_credential_is_on_the_ledger_by_its_id_only(api: World):
    minted = [await api.mint("user", "ann"), await api.mint("agent", "bot"), await api.mint("harness", "coach")]
    opened = await api.told("POST", "/sessions", minted[2]["token"], {})
    child = (await api.delegate(minted[1]["token"], "sub")).json()
    await api.told("POST", "/keys/rotate", body={})
    items = (await api.told("GET", "/ledger/entries?limit=1000"))["items"]
    issued = {item["body"]["subject"] for item in items if item["body"].get("event") == "token.issued"}
    assert {one["jti"] for one in (*minted, opened)} <= issued
    assert any(item["body"].get("event") == "key.rotated" for item in items)
    assert any(item["body"].get("event") == "session.opened" for item in items)
    secrets = [*(one["token"] for one in (*minted, opened)), child["access_token"], api.admin]
    folder = api.workspace.parent / "data"
    stored = b"".join(path.read_bytes() for path in folder.glob("ledger*"))
    assert not [secret for secret in secrets if secret.encode() in stored]
    assert minted[0]["jti"].encode() in stored


async def test_what_an_agent_asks_of_the_api_counts_with_all_that_it_sends(tmp_path: Path):
    """Each of these is a durable record: beyond its rate it would fill the ledger as fast as it likes."""
    few = Limits(requests_per_s_max=0.01, requests_burst_max=3)
    async with world(tmp_path, few) as api:
        bot, other = [await api.mint("agent", name, user="req") for name in ("bot", "other")]
        form = {"grant_type": GRANT, "subject_token": bot["token"], "subject_token_type": ACCESS_TOKEN, "actor": "sub"}
        told = f"/sessions/{bot['sid']}/confidence"
        for _ in range(2):
            assert (await api.ask("POST", told, bot["token"], {"value": 0.5})).status_code == 200
        assert (await api.http.post(f"{api.url}/api/v1/token", data=form)).status_code == 200
        before = await api.services.ledger.latest(1)
        for _ in range(3):
            refused = await api.ask("POST", told, bot["token"], {"value": 0.5})
            assert (refused.status_code, refused.json()["title"]) == (429, "not now")
            assert "limit/requests" in refused.json()["why"]
            assert int(refused.headers["Retry-After"]) > 0
            assert (await api.http.post(f"{api.url}/api/v1/token", data=form)).status_code == 429
            assert (await api.ask("GET", "/status", bot["token"])).status_code == 429, "nor to be refused"
        assert await api.services.ledger.latest(1) == before
        elsewhere = f"/sessions/{other['sid']}/confidence"
        assert (await api.ask("POST", elsewhere, other["token"], {"value": 0.5})).status_code == 200
        assert (await api.ask("GET", "/status", api.admin)).status_code == 200
