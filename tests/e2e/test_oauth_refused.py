"""What is refused on the way to a login and with one, and that no credential goes where it does not belong."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.e2e.oauth_world import PERSON, SERVICE, Guarded


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Guarded(tmp_path_factory.mktemp("refused")) as running:
        running.login()
        yield running


@pytest.fixture(autouse=True)
def behaved(world: Guarded) -> Iterator[None]:
    yield
    world.notes()
    world.redeclare(PERSON)


def answered(world: Guarded, **changed: str | None) -> tuple[int, str]:
    """What the callback says to an honest answer in which some fields are `changed`."""
    honest = urlsplit(world.answer_of(world.begin()))
    fields = {name: values[0] for name, values in parse_qs(honest.query).items()}
    fields |= {name: value for name, value in changed.items() if value is not None}
    left = {name: value for name, value in fields.items() if name not in changed or changed[name] is not None}
    return world.browse(f"{world.base}/oauth/callback?{urlencode(left)}")


def exchanged(world: Guarded) -> int:
    """How many codes were redeemed so far."""
    return sum(asked["grant_type"] == "authorization_code" for asked in world.log("token"))


@pytest.mark.parametrize("state", ["forged-state", "", "A" * 43])
def test_a_forged_state_is_refused_and_its_code_is_never_sent(world: Guarded, state: str) -> None:
    before = exchanged(world)
    status, text = answered(world, state=state)
    assert (status, exchanged(world)) == (400, before)
    assert "was not begun here" in text


def test_a_state_counts_once(world: Guarded) -> None:
    answer = world.answer_of(world.begin())
    assert world.browse(answer)[0] == 200
    before = exchanged(world)
    status, text = world.browse(answer)
    assert (status, exchanged(world)) == (400, before)
    assert "was used already" in text


@pytest.mark.parametrize("changed", [{"iss": "https://other.example"}, {"iss": None}, {"iss": "ISSUER/"}])
def test_an_answer_of_another_issuer_is_refused_before_its_code_goes_anywhere(
    world: Guarded, changed: dict[str, str | None]
) -> None:
    """RFC 9207: also a missing `iss` where the metadata promises one, and one that is only alike."""
    before = exchanged(world)
    told = {name: value and value.replace("ISSUER", world.issuer) for name, value in changed.items()}
    status, text = answered(world, **told)
    assert (status, exchanged(world)) == (400, before)
    assert "another authorization server than the one asked" in text


def test_an_error_of_another_issuer_is_not_repeated(world: Guarded) -> None:
    status, text = answered(world, iss="https://other.example", code=None, error="access_denied")
    assert status == 400
    assert "access_denied" not in text


def test_a_person_who_says_no_is_told_so(world: Guarded) -> None:
    url = world.begin()
    world.notes(deny=True)
    status, text = world.browse(url)
    assert status == 400
    assert "did not let you in (access_denied)" in text


def test_what_came_with_the_query_is_never_shown(world: Guarded) -> None:
    status, text = answered(world, code=None, error="<script>alert(1)</script>", error_description="<b>x</b>")
    assert status == 400
    assert "<" not in text


def test_a_field_given_twice_is_no_answer(world: Guarded) -> None:
    answer = world.answer_of(world.begin())
    assert world.browse(f"{answer}&code=another")[0] == 400
    assert world.browse(f"{world.base}/oauth/callback?{'x' * 20_000}")[0] == 400


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "metadata of another issuer": ({"metadata": {"issuer": "https://other.example"}}, "that of another issuer"),
    "no PKCE": ({"metadata": {"code_challenge_methods_supported": None}}, "PKCE with S256"),
    "plain PKCE alone": ({"metadata": {"code_challenge_methods_supported": ["plain"]}}, "PKCE with S256"),
    "an endpoint without https": (
        {"metadata": {"token_endpoint": "http://other.example/token"}},
        "its token_endpoint is not reached over https",
    ),
    "an endpoint that is no address": (
        {"metadata": {"authorization_endpoint": "javascript:alert(1)"}},
        "its authorization_endpoint is no address",
    ),
    "nobody registers": ({"metadata": {"registration_endpoint": None}}, "put the client id into oauth.client_id"),
    "resource metadata of another resource": (
        {"resource": {"resource": "https://other.example/mcp"}},
        "speaks of another resource than its url",
    ),
    "resource metadata on another origin": (
        {"resource_metadata": "https://other.example/.well-known/oauth-protected-resource"},
        "metadata on another origin than its own",
    ),
    "resource metadata inside the network": (
        {"resource_metadata": "http://169.254.169.254/latest/meta-data"},
        "metadata on another origin than its own",
    ),
    "no authorization server": ({"resource": {"authorization_servers": []}}, "names no authorization server"),
    "an authorization server without https": (
        {"resource": {"authorization_servers": ["http://other.example"]}},
        "the issuer is not reached over https",
    ),
    "an authorization server that is not there": (
        {"resource": {"authorization_servers": ["https://127.0.0.1:1"]}},
        "https://127.0.0.1:1 is not reached",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.replace(" ", "-"))
def test_a_login_does_not_begin_at_what_cannot_be_trusted(world: Guarded, case: str) -> None:
    notes, why = REFUSED[case]
    world.notes(**notes)
    done = world.service.remit("servers", "login", "guarded", "--no-wait")
    assert done.returncode == 1, done.stdout
    assert why in done.stderr
    assert "next:" in done.stderr


def test_an_issuer_that_a_person_named_is_the_only_one(world: Guarded) -> None:
    world.redeclare(f"{PERSON}, issuer: 'https://named.example'")
    done = world.service.remit("servers", "login", "guarded", "--no-wait")
    assert done.returncode == 1
    assert "names another authorization server than oauth.issuer" in done.stderr


def test_a_token_for_another_audience_is_refused_there_and_never_tried_twice_over(world: Guarded) -> None:
    world.login(audience="https://other.example/mcp")
    shown = len(world.log("shown"))
    failed, why = asyncio.run(world.call("audience"))
    assert failed
    assert "refuses the login (HTTP 401)" in why
    assert "remit servers login guarded" in why
    assert "audience" not in world.effects()
    assert len(world.log("shown")) - shown <= 4, "the call, the listing before it, and each once more"
    assert world.credential()["state"] == "failing"


def test_a_redirect_is_not_followed_with_the_credential(world: Guarded) -> None:
    world.login(redirect=True)
    failed, why = asyncio.run(world.call("redirected"))
    assert failed
    assert "which Remit never follows" in why
    assert world.log("elsewhere") == []


def test_an_authorization_server_that_is_down_ends_no_login(world: Guarded) -> None:
    world.login()
    world.notes(token_status=503, expire_access=True)
    failed, why = asyncio.run(world.call("down"))
    assert failed
    assert "answers with HTTP 503" in why
    assert world.credential()["state"] == "failing"
    world.login()
    assert asyncio.run(world.call("up-again")) == (False, "up-again")


def test_a_wrong_secret_is_told_without_the_secret(world: Guarded) -> None:
    (world.root / "wrong").write_text("wrong-secret-canary\n")
    world.redeclare(SERVICE.replace("client-secret}", "wrong}"))
    failed, why = asyncio.run(world.call("wrong"))
    assert failed
    assert "refuses: invalid_client" in why
    assert "canary" not in why
    assert world.leaks(["wrong-secret-canary"]) == []


def test_an_unset_variable_is_named_and_nothing_is_sent(world: Guarded) -> None:
    shown = len(world.log("shown"))
    world.redeclare(SERVICE.replace("{file: FOLDER/client-secret}", "{env: NOBODY_SETS_THIS}"))
    failed, why = asyncio.run(world.call("unset"))
    assert failed
    assert "the environment variable NOBODY_SETS_THIS is not set" in why
    assert len(world.log("shown")) == shown


def test_who_may_not_configure_may_not_log_in(world: Guarded) -> None:
    agent = world.service.agent("clerk")
    for verb in ("login", "logout"):
        done = world.service.remit("servers", verb, "guarded", token=agent)
        assert done.returncode == 4
    assert world.service.remit("servers", "login", "nobody", "--no-wait").returncode == 5
