"""Logging in at a server: a person by the browser, the service for itself; renewed, lost, ended."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.oauth_world import CLIENT_SECRET, PERSON, SERVICE, Guarded
from tests.e2e.tls_front import Front


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Guarded(tmp_path_factory.mktemp("person")) as world:
        world.login()
        yield world


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Guarded(tmp_path_factory.mktemp("service"), oauth=SERVICE) as world:
        world.service.accept("guarded")
        yield world


def said(world: Guarded, text: str) -> str:
    """The tool's answer to `text`; fails where the call did."""
    failed, answer = asyncio.run(world.call(text))
    assert not failed, answer
    return answer


def refused(world: Guarded, text: str) -> str:
    """Why the call did not happen; fails where it did."""
    failed, answer = asyncio.run(world.call(text))
    assert failed, answer
    assert text not in world.effects()
    return answer


def test_a_person_logs_in_with_pkce_for_this_server_and_calls_pass(person: Guarded) -> None:
    assert said(person, "first") == "first"
    asked = parse_qs(urlsplit(person.begin()).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["resource"] == [f"{person.server}/mcp"]
    assert asked["redirect_uri"] == [f"{person.base}/oauth/callback"]
    assert asked["scope"] == ["files:read files:list"], "what the challenge asks for, not all that is supported"
    exchanged = person.log("token")[0]
    assert exchanged["grant_type"] == "authorization_code"
    assert exchanged["resource"] == f"{person.server}/mcp"
    assert len(exchanged["code_verifier"]) >= 43
    told = person.credential()
    assert (told["state"], told["issuer"], told["scopes"]) == ("valid", person.issuer, ["files:read", "files:list"])
    assert "credential guarded: valid until" in person.service.remit("doctor").stdout
    assert "server.login guarded" in person.service.remit("logs", "--limit", "1000").stdout


def test_where_registration_alone_exists_remit_registers_as_a_public_native_client(person: Guarded) -> None:
    registered = person.log("registered")[0]
    assert registered["token_endpoint_auth_method"] == "none"
    assert registered["application_type"] == "native"
    assert registered["redirect_uris"] == [f"{person.base}/oauth/callback"]


def test_a_token_that_ends_in_mid_call_is_renewed_and_the_call_sent_once_more(person: Guarded) -> None:
    person.login()
    person.notes(expire_access=True)
    assert said(person, "mid-call") == "mid-call"
    assert person.effects().count("mid-call") == 1
    assert person.log("token")[-1]["grant_type"] == "refresh_token"
    assert person.log("token")[-1]["resource"] == f"{person.server}/mcp"


def test_a_login_outlives_a_restart(person: Guarded) -> None:
    issued = len(person.log("issued"))
    person.service.stop()
    person.service.start()
    assert said(person, "after-restart") == "after-restart"
    assert len(person.log("issued")) == issued


def test_a_scope_that_is_lacking_is_told_and_nothing_is_logged_in_anew(person: Guarded) -> None:
    person.notes(lacking=True)
    try:
        assert "wants a scope that was not granted; add it to oauth.scopes" in refused(person, "scope")
        assert person.credential()["state"] == "failing"
    finally:
        person.notes()
    assert said(person, "scope-granted") == "scope-granted"
    assert person.credential()["state"] == "valid", "what the server lets in again is no longer failing"


def test_tokens_are_renewed_before_they_expire_by_one_renewal_for_all(person: Guarded) -> None:
    # The authorization server says that they last a second: a second later each is due.
    url = person.begin()
    person.notes(told_s=1)
    person.browse(url)
    person.notes()
    person.tokens.append(person.service.agent("clerk"))
    time.sleep(1)
    before = len(person.log("issued"))

    async def burst() -> list[tuple[bool, str]]:
        return await asyncio.gather(*(person.call(f"burst-{number}") for number in range(8)))

    assert [failed for failed, _ in asyncio.run(burst())] == [False] * 8
    assert len(person.log("issued")) == before + 1
    assert person.log("token")[-1]["grant_type"] == "refresh_token"


def test_a_revoked_login_is_forgotten_and_the_next_login_mends_it(person: Guarded) -> None:
    person.login()
    person.notes(revoke_all=True)
    why = refused(person, "revoked")
    assert "its login has ended" in why
    assert "remit servers login guarded" in why
    shown = len(person.log("shown"))
    assert "it needs a login; a person logs in: remit servers login guarded" in refused(person, "unsent")
    assert len(person.log("shown")) == shown, "nothing was sent without a credential"
    assert person.credential()["state"] == "needs login"
    doctor = person.service.remit("doctor")
    assert doctor.returncode == 1
    assert "next: remit servers login guarded" in doctor.stdout
    person.login()
    assert said(person, "mended") == "mended"


def test_logging_out_ends_the_tokens_there_and_forgets_them_here(person: Guarded) -> None:
    person.login()
    revoked = len(person.log("revoked"))
    assert person.service.remit("servers", "logout", "guarded").returncode == 0
    assert len(person.log("revoked")) == revoked + 1
    assert not list((person.service.data / "credentials").iterdir())
    assert "it needs a login" in refused(person, "out")
    assert "server.logout guarded" in person.service.remit("logs", "--limit", "1000").stdout
    person.login()


def test_the_service_gets_its_own_token_with_its_secret_by_reference(service: Guarded) -> None:
    assert said(service, "own") == "own"
    asked = service.log("token")[0]
    assert asked["grant_type"] == "client_credentials"
    assert asked["resource"] == f"{service.server}/mcp"
    assert asked["scope"] == "files:read"
    assert "client_secret" not in asked, "the metadata prefers client_secret_basic"
    assert service.credential()["state"] == "valid"


def test_the_services_token_is_got_anew_when_it_is_refused(service: Guarded) -> None:
    said(service, "one")
    service.notes(expire_access=True)
    assert said(service, "two") == "two"
    assert service.effects().count("two") == 1


def test_no_person_logs_in_where_the_service_does(service: Guarded) -> None:
    done = service.service.remit("servers", "login", "guarded", "--no-wait")
    assert done.returncode == 1
    assert "logs in by itself" in done.stderr


def test_a_client_that_a_person_registered_is_used_and_nobody_registers(tmp_path: Path) -> None:
    oauth = f"{PERSON}, issuer: ISSUER, client_id: known-person-client"
    with Guarded(tmp_path, oauth=oauth) as world:
        world.login()
        assert said(world, "known") == "known"
        assert world.log("token")[0]["client_id"] == "known-person-client"
        assert not world.log("registered")


def test_a_metadata_document_is_the_client_where_remit_stands_behind_https(tmp_path: Path) -> None:
    with Front(tmp_path) as front:
        flags = ("--public-url", front.base)
        with Guarded(tmp_path, base=front.base, flags=flags) as world:
            front.forward(world.service.port)
            world.trusted = front.trusted
            world.login(metadata={"client_id_metadata_document_supported": True})
            assert said(world, "document") == "document"
            (document, *_) = world.log("document")
            assert document["client_id"] == f"{front.base}/oauth/client.json"
            assert document["redirect_uris"] == [f"{front.base}/oauth/callback"]
            assert document["application_type"] == "web"
            assert world.log("token")[0]["client_id"] == document["client_id"]
            assert not world.log("registered")


def test_another_declaration_does_not_inherit_a_login(tmp_path: Path) -> None:
    with Guarded(tmp_path) as world:
        world.login()
        shown = len(world.log("shown"))
        # The same server by another origin: what is held belongs to the first.
        world.redeclare(PERSON, url=f"{world.server.replace('127.0.0.1', 'localhost')}/mcp")
        assert world.credential()["state"] == "needs login"
        assert "it needs a login" in refused(world, "elsewhere")
        world.redeclare(SERVICE)
        assert world.credential()["state"] == "not asked for yet"
        assert len(world.log("shown")) == shown


def test_the_clients_secret_is_nowhere_but_where_it_was_put(service: Guarded) -> None:
    said(service, "secret")
    assert service.leaks([CLIENT_SECRET]) == []
