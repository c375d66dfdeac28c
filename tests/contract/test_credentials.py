"""What credentials stand on: references, sealed files, bounded fetching, the reading of challenges."""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.credentials.challenge import bearer_challenge
from remit.adapters.credentials.client_registration import CallbackAddress
from remit.adapters.credentials.fetch import BODY_BYTES_MAX, Fetch, FetchFailed, Reach
from remit.adapters.credentials.metadata import MetadataRefused, find_issuer, issuer_places
from remit.adapters.credentials.references import SECRET_BYTES_MAX, References
from remit.adapters.credentials.store import CredentialStore
from remit.adapters.credentials.stored_login import OAuthClient, StoredLogin, Tokens, login_from
from remit.adapters.credentials.vault import Vault
from remit.adapters.private import KeyringUnusable
from remit.adapters.system import SystemEntropy
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.credential import FromCommand, FromEnv, FromFile, OAuth, OAuthGrant, Secret
from remit.ports.credentials import CredentialRefused, CredentialStatus
from tests.eventually import WITHIN_S
from tests.upstreams.rig import ManualClock

T = TypeVar("T")
CANARY = "canary-5f2c"


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def value(secret: Secret, clock: ManualClock | None = None) -> str:
    return run(References({"SET": CANARY, "EMPTY": ""}, clock or ManualClock()).value(secret))


def test_a_value_comes_from_environment_file_or_command_with_its_prefix(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    assert value(Secret(FromEnv("SET"), "Bearer ")) == f"Bearer {CANARY}"
    assert value(Secret(FromFile(str(tmp_path / "secret")))) == CANARY
    assert value(Secret(FromCommand((sys.executable, "-c", f"print('{CANARY}')")))) == CANARY


def bad_references(folder: Path) -> dict[str, tuple[FromEnv | FromFile | FromCommand, str]]:
    (folder / "empty").write_text("\n")
    (folder / "large").write_bytes(b"x" * (SECRET_BYTES_MAX + 1))
    (folder / "binary").write_bytes(b"\xff\xfe" + CANARY.encode())
    os.mkfifo(folder / "pipe")
    python = sys.executable
    return {
        "unset": (FromEnv("UNSET"), "the environment variable UNSET is not set"),
        "empty variable": (FromEnv("EMPTY"), "is not set"),
        "no file": (FromFile(str(folder / "none")), "cannot be read: No such file"),
        "folder": (FromFile(str(folder)), "cannot be read"),
        "pipe": (FromFile(str(folder / "pipe")), "no regular file"),
        "empty": (FromFile(str(folder / "empty")), "gives nothing"),
        "large": (FromFile(str(folder / "large")), "gives more than 65536 bytes"),
        "binary": (FromFile(str(folder / "binary")), "no UTF-8 text"),
        "no program": (FromCommand((str(folder / "none"),)), "cannot be started"),
        "failing": (FromCommand((python, "-c", f"print('{CANARY}'); raise SystemExit(3)")), "failed with exit code 3"),
        "endless": (FromCommand((python, "-c", "while True: print('x' * 9999)")), "gives more than 65536 bytes"),
    }


def test_a_reference_that_gives_nothing_usable_says_which_and_never_what(tmp_path: Path) -> None:
    for name, (origin, why) in bad_references(tmp_path).items():
        with pytest.raises(CredentialRefused) as refused:
            value(Secret(origin))
        assert why in str(refused.value), name
        assert CANARY not in str(refused.value), name


def test_a_command_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.adapters.credentials.references.COMMAND_S", 0.2)
    with pytest.raises(CredentialRefused, match=r"took longer than 0\.2 s"):
        value(Secret(FromCommand((sys.executable, "-c", "import time; time.sleep(60)"))))


def test_what_was_read_is_kept_for_a_while_and_read_anew_when_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old")
    clock = ManualClock()
    clock.stop()
    references, secret = References({}, clock), Secret(FromFile(str(tmp_path / "secret")))

    async def story() -> None:
        assert await references.value(secret) == "old"
        (tmp_path / "secret").write_text("new")
        assert await references.value(secret) == "old"
        assert await references.changed(secret, "old")
        assert not await references.changed(secret, "new")
        (tmp_path / "secret").write_text("newer")
        clock.pass_s(301)
        assert await references.value(secret) == "newer"

    asyncio.run(story())


@pytest.mark.parametrize("text", ["two\r\nX-More: 1", "ümlaut", " spaced", "tab\tinside"])
def test_what_no_header_may_hold_is_refused(text: str) -> None:
    with pytest.raises(CredentialRefused) as refused:
        run(References({"ODD": text}, ManualClock()).header(Secret(FromEnv("ODD"))))
    assert text not in str(refused.value)


def vault(folder: Path) -> Vault:
    return Vault(folder / "credentials", folder / "keys", SystemEntropy())


@given(data=st.binary(max_size=2000))
def test_what_is_sealed_is_read_back_and_stands_nowhere_in_the_open(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("vault")
    vault(folder).write("shop", data + CANARY.encode())
    assert vault(folder).read("shop") == data + CANARY.encode()
    kept = (folder / "credentials" / "shop.sealed").read_bytes()
    assert CANARY.encode() not in kept


def test_two_that_seal_first_at_once_seal_with_one_key(tmp_path: Path) -> None:
    begun = threading.Event()

    class Slow(SystemEntropy):
        def token_bytes(self, count: int) -> bytes:
            if threading.current_thread() is not threading.main_thread():
                begun.set()
                time.sleep(0.1)  # room for another to make a key of its own
            return super().token_bytes(count)

    shared = Vault(tmp_path / "credentials", tmp_path / "keys", Slow())
    first = threading.Thread(target=shared.write, args=("shop", b"first"))
    first.start()
    assert begun.wait(WITHIN_S)
    shared.write("bank", b"second")
    first.join(WITHIN_S)
    assert (shared.read("shop"), shared.read("bank")) == (b"first", b"second")


def test_a_sealed_file_opens_under_its_own_name_and_key_alone(tmp_path: Path) -> None:
    one = vault(tmp_path)
    one.write("shop", b"login")
    sealed = tmp_path / "credentials" / "shop.sealed"
    (tmp_path / "credentials" / "other.sealed").write_bytes(sealed.read_bytes())
    (tmp_path / "credentials" / "other.sealed").chmod(0o600)
    with pytest.raises(KeyringUnusable, match="does not open"):
        one.read("other")
    key = tmp_path / "keys" / "credentials.key"
    kept = key.read_bytes()
    key.write_bytes(bytes(32))
    with pytest.raises(KeyringUnusable, match="log in again"):
        one.read("shop")
    key.write_bytes(b"short")
    with pytest.raises(KeyringUnusable, match="is no key"):
        one.read("shop")
    key.write_bytes(kept)
    data = sealed.read_bytes()
    for place in range(len(data)):
        sealed.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(KeyringUnusable):
            one.read("shop")
    sealed.write_bytes(data)
    assert one.read("shop") == b"login"


def test_files_that_others_may_read_are_refused(tmp_path: Path) -> None:
    one = vault(tmp_path)
    one.write("shop", b"login")
    assert (tmp_path / "credentials").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "credentials" / "shop.sealed", tmp_path / "keys" / "credentials.key"):
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        with pytest.raises(KeyringUnusable, match="chmod 600"):
            one.read("shop")
        path.chmod(0o600)
    one.remove("shop")
    one.remove("shop")
    assert one.read("shop") is None


TOKENS = Tokens("access-canary", "refresh-canary", 1, 2, ("a", "b"))
HELD = StoredLogin(
    "https://h", "https://as", "authorization_code", "https://h/mcp", OAuthClient("c", "none", "secret-canary"), TOKENS
)


def test_what_is_held_is_read_back_and_shows_no_secret() -> None:
    assert login_from(HELD.sealed()) == HELD
    assert "canary" not in f"{HELD!r} {HELD}"
    assert login_from(b"{}") is None
    assert login_from(b"nonsense") is None


CHALLENGES: dict[str, dict[str, str]] = {
    "": {},
    "Basic realm=x": {},
    "Bearer": {},
    'Bearer realm="a, b=c", Scope="x y"': {"realm": "a, b=c", "scope": "x y"},
    'Basic realm="r", bearer error=invalid_token , resource_metadata="https://h/x"': {
        "error": "invalid_token", "resource_metadata": "https://h/x",
    },
    'Bearer realm="\\"q\\"", Digest nonce=1, scope=late': {"realm": '"q"'},
    'Bearer a="1", a="2"': {"a": "1"},
    'Bearer a="open': {},
}  # fmt: skip


@pytest.mark.parametrize(("header", "found"), CHALLENGES.items())
def test_challenges_are_read_as_the_grammar_has_them(header: str, found: dict[str, str]) -> None:
    assert bearer_challenge([header]) == found
    assert bearer_challenge(["Negotiate", header]) == found


@given(header=st.text(st.characters(max_codepoint=255), max_size=300))
def test_any_challenge_is_read_to_its_end(header: str) -> None:
    assert isinstance(bearer_challenge([header, "Bearer " + header]), dict)


class Odd(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_GET(self) -> None:
        bodies: dict[str, tuple[int, bytes, str]] = {
            "/large": (200, b'{"x": "' + b"x" * BODY_BYTES_MAX + b'"}', "application/json"),
            "/twice": (200, b'{"issuer": "a", "issuer": "b"}', "application/json"),
            "/list": (200, b"[]", "application/json"),
            "/html": (200, b"<html>", "text/html"),
            "/moved": (302, b"", "text/plain"),
        }
        status, body, kind = bodies.get(self.path, (404, b"", "text/plain"))
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        if status == 302:
            self.send_header("location", "/list")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        pass


@pytest.fixture(scope="module")
def odd() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetched(work: Callable[[Fetch], Awaitable[T]]) -> T:
    async def story() -> T:
        fetch = Fetch()
        try:
            return await work(fetch)
        finally:
            await fetch.close()

    return asyncio.run(story())


def test_answers_are_bounded_strict_and_never_followed(odd: str) -> None:
    with pytest.raises(FetchFailed, match="more than 262144 bytes"):
        fetched(lambda fetch: fetch.get(f"{odd}/large", Reach.ANY))
    for path, status in (("twice", 200), ("list", 200), ("html", 200), ("moved", 302)):
        found = fetched(lambda fetch, path=path: fetch.get(f"{odd}/{path}", Reach.ANY))
        assert (found.status, found.body) == (status, None)


def test_a_private_address_is_not_reached_by_number_or_by_name(odd: str) -> None:
    port = odd.rpartition(":")[2]
    for url in (f"{odd}/list", f"http://localhost:{port}/list", f"http://[::1]:{port}/list"):
        with pytest.raises(FetchFailed, match="private one"):
            fetched(lambda fetch, url=url: fetch.get(url, Reach.PUBLIC))


def test_nobody_there_is_told_without_the_query() -> None:
    with pytest.raises(FetchFailed) as failed:
        fetched(lambda fetch: fetch.get(f"http://127.0.0.1:1/x?key={CANARY}", Reach.ANY))
    assert CANARY not in str(failed.value)


def test_metadata_is_looked_for_where_the_specification_says() -> None:
    assert list(issuer_places("https://as.example")) == [
        "https://as.example/.well-known/oauth-authorization-server",
        "https://as.example/.well-known/openid-configuration",
    ]
    assert list(issuer_places("https://as.example/tenant/")) == [
        "https://as.example/.well-known/oauth-authorization-server/tenant",
        "https://as.example/.well-known/openid-configuration/tenant",
        "https://as.example/tenant/.well-known/openid-configuration",
    ]


@pytest.mark.parametrize(
    "issuer",
    ["http://127.0.0.1:1", "https://127.0.0.1:1", "https://localhost", "https://10.0.0.1", "https://[::1]", "ftp://h",
     "https://user@h", "https://h/ x", "https://", "https://h#f", "http://h"],
)  # fmt: skip
def test_an_issuer_that_a_server_may_not_name_is_refused_before_anything_is_sent(issuer: str) -> None:
    with pytest.raises(MetadataRefused):
        fetched(lambda fetch: find_issuer(fetch, issuer, Reach.PUBLIC))


def keeping(folder: Path, environ: dict[str, str]) -> CredentialStore:
    place = CallbackAddress("http://127.0.0.1:7070")
    return CredentialStore(folder, place, environ, clock=ManualClock(), entropy=SystemEntropy())


def test_headers_and_variables_by_reference_are_resolved_together(tmp_path: Path) -> None:
    one = keeping(tmp_path, {"KEY": CANARY})
    http = Server("shop", Http("https://h/mcp", {"X-Key": Secret(FromEnv("KEY")), "X-Two": Secret(FromEnv("NO"))}))
    credential = one.of(http)
    assert credential is not None
    assert one.of(http) is credential
    with pytest.raises(CredentialRefused, match="its header X-Two: the environment variable NO is not set"):
        run(credential.headers())
    assert one.states()["shop"].status is CredentialStatus.FAILING
    good = one.of(Server("shop", Http("https://h/mcp", {"X-Key": Secret(FromEnv("KEY"))})))
    assert good is not None
    assert run(good.headers()) == {"X-Key": CANARY}
    assert one.states()["shop"].status is CredentialStatus.REFERENCE
    assert one.of(Server("plain", Http("https://h/mcp"))) is None
    assert one.of(Server("child", Stdio(("x",)))) is None
    assert run(one.environment("child", {"A": "plain", "B": Secret(FromEnv("KEY"))})) == {"A": "plain", "B": CANARY}
    with pytest.raises(CredentialRefused, match="server 'child' is not started, its variable C"):
        run(one.environment("child", {"C": Secret(FromEnv("NO"))}))


def test_a_login_that_cannot_be_opened_is_told_and_not_used(tmp_path: Path) -> None:
    vault(tmp_path).write("shop", HELD.sealed())
    login = Server("shop", Http("https://h/mcp", {}, OAuth(OAuthGrant.AUTHORIZATION_CODE)))
    first = keeping(tmp_path, {})
    first.of(login)
    assert first.states()["shop"].status is CredentialStatus.VALID
    for other in (
        Http("https://other/mcp", {}, OAuth(OAuthGrant.AUTHORIZATION_CODE)),
        Http("https://h/mcp", {}, OAuth(OAuthGrant.AUTHORIZATION_CODE, issuer="https://another")),
        Http("https://h/mcp", {}, OAuth(OAuthGrant.AUTHORIZATION_CODE, client_id="another")),
    ):
        first.of(Server("shop", other))
        assert first.states()["shop"].status is CredentialStatus.NEEDS_LOGIN
    (tmp_path / "credentials" / "shop.sealed").write_bytes(b"remit sealed 1\n" + bytes(40))
    second = keeping(tmp_path, {})
    second.of(login)
    state = second.states()["shop"]
    assert state.status is CredentialStatus.NEEDS_LOGIN
    assert "does not open" in (state.why or "")


def test_the_client_document_is_what_it_declares() -> None:
    document = json.loads(json.dumps(CallbackAddress("https://remit.example").metadata()))
    assert document["redirect_uris"] == ["https://remit.example/oauth/callback"]
    assert CallbackAddress("https://remit.example").has_document
    assert not CallbackAddress("http://127.0.0.1:7070").has_document
