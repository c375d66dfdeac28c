"""By which addresses a service is reached, and under which one it signs."""

from pathlib import Path

import pytest

from remit.app.service.addresses import issuer_of, reached_as
from remit.app.settings import Settings, public_address
from remit.app.terminal.failure import CommandFailure, Exit


def settings(host: str = "127.0.0.1", *, public: str | None = None, allowed: tuple[str, ...] = ()) -> Settings:
    return Settings(Path("data"), Path("workspace"), host=host, public_url=public, allowed_hosts=allowed)


def test_a_default_port_is_left_out_of_host_and_origin() -> None:
    hosts, origins = reached_as(settings(), 80, "http://127.0.0.1:80")
    assert hosts >= {"127.0.0.1:80", "127.0.0.1", "localhost", "[::1]"}
    assert origins >= {"http://127.0.0.1:80", "http://127.0.0.1", "http://localhost", "http://[::1]"}
    hosts, origins = reached_as(settings("Remit.Local"), 443, "http://remit.local:443")
    assert hosts >= {"remit.local:443", "remit.local", "localhost"}
    assert "https://remit.local" in origins
    assert "http://remit.local" not in origins, "at port 80 that is somebody else"


def test_any_other_port_is_part_of_them() -> None:
    hosts, origins = reached_as(settings("::1", allowed=("Proxy:9000",)), 7070, "http://[::1]:7070")
    assert hosts == {"127.0.0.1:7070", "localhost:7070", "[::1]:7070", "proxy:9000"}
    assert origins == {f"http://{host}" for host in hosts}


def test_a_public_address_is_reached_with_and_without_its_default_port() -> None:
    public = "https://remit.example.com"
    hosts, origins = reached_as(settings(public=public), 7070, public)
    assert hosts >= {"remit.example.com", "remit.example.com:443"}
    assert "remit.example.com:80" not in hosts
    assert {origin for origin in origins if "example" in origin} == {public}
    hosts, _ = reached_as(settings(public=f"{public}:8443"), 7070, f"{public}:8443")
    assert {host for host in hosts if "example" in host} == {"remit.example.com:8443"}


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://Remit.example.com/", "https://remit.example.com"),
        ("https://remit.example.com:443", "https://remit.example.com"),
        ("http://remit.example.com:80", "http://remit.example.com"),
        ("https://remit.example.com:80", "https://remit.example.com:80"),
        ("https://xn--bcher-kva.example:8443", "https://xn--bcher-kva.example:8443"),
        ("http://[::1]:7070", "http://[::1]:7070"),
    ],
)
def test_a_public_address_is_what_browsers_send(given: str, address: str) -> None:
    assert public_address(given) == address


@pytest.mark.parametrize(
    "given",
    [
        "https://bücher.example",
        "https://re mit.example",
        "https://remit.example:",
        "https://remit.example:0",
        "https://remit.example:99999",
        "https://ann@remit.example",
        "https://remit.example/mcp",
        "https://",
        "https://[::1",
        "ftp://remit.example",
    ],
)
def test_what_no_browser_sends_is_no_public_address(given: str) -> None:
    with pytest.raises(CommandFailure, match="not a public address") as caught:
        public_address(given)
    assert caught.value.exit is Exit.USAGE


def test_the_issuer_is_kept_from_the_first_start(tmp_path: Path) -> None:
    assert issuer_of(tmp_path, "http://127.0.0.1:7070") == "http://127.0.0.1:7070"
    assert issuer_of(tmp_path, "http://127.0.0.1:8080") == "http://127.0.0.1:7070"
    assert [path.name for path in tmp_path.iterdir()] == ["issuer"]


def test_a_start_that_cannot_keep_its_issuer_leaves_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(CommandFailure, match="nobody can sign as http://bücher"):
        issuer_of(tmp_path, "http://bücher.example:7070")
    (tmp_path / "issuer.partial").write_text("http", encoding="ascii")
    assert issuer_of(tmp_path, "http://127.0.0.1:7070") == "http://127.0.0.1:7070"


@pytest.mark.parametrize("stored", [b"", b"\n", b"127.0.0.1:7070", b"http://a\nhttp://b", "http://bücher".encode()])
def test_an_issuer_that_is_none_is_refused_as_it_is(tmp_path: Path, stored: bytes) -> None:
    (tmp_path / "issuer").write_bytes(stored)
    with pytest.raises(CommandFailure, match="issuer does not say who signs tokens") as caught:
        issuer_of(tmp_path, "http://127.0.0.1:7070")
    assert caught.value.exit is Exit.INVALID
    assert f"rm {tmp_path / 'issuer'}" in caught.value.next
    assert (tmp_path / "issuer").read_bytes() == stored
