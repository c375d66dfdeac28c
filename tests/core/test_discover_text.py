"""Configuration as people write it is read in linear time, and what may be told of it holds no secret."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.discover import discretion, lenient
from remit.discover.launch import launch_of

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(JSON, st.booleans())
def test_json_is_read_as_it_is(value: object, ascii_only: bool) -> None:
    assert lenient.jsonc(json.dumps(value, indent=1, ensure_ascii=ascii_only)) == value


def test_comments_and_commas_too_many_are_passed_over() -> None:
    text = '// one\n{"a": "//no, /*no*/ ,}", /* two\n lines */ "b": [1, 2, /* , */ ], "c\\"": {},}\n// end'
    assert lenient.jsonc(text) == {"a": "//no, /*no*/ ,}", "b": [1, 2], 'c"': {}}


def test_each_name_has_the_line_where_it_is_a_key() -> None:
    text = (
        '// "a"\n{"mcpServers": {\n"x": {"args": ["a", "b"]},\n"a": {},\n\n "b" : {"c": "\\"d\\": "}, "e\\u0041": 1}}'
    )
    assert lenient.lines_of(text, ["servers", "mcpServers"], ["a", "b", "d", "eA", "x"]) == {
        "a": 4,
        "b": 6,
        "d": 2,
        "eA": 2,
        "x": 3,
    }
    toml = 'model = "a"\n\n[mcp_servers.a]\nx = "b"\n[mcp_servers."b c".env]\ny = 1\n  [mcp_servers.b]\n'
    assert lenient.lines_of(toml, ["mcp_servers"], ["a", "b c", "b"]) == {"a": 3, "b c": 5, "b": 7}
    assert lenient.lines_of("{}", ["mcpServers"], ["a"]) == {}
    assert lenient.lines_of('{"mcpServers": {}}', ["mcpServers"], []) == {}


@pytest.mark.parametrize("unit", ['"', '"a" ', '"\\', "[[a", '[a."b', " ", '"a"' + " " * 50])
def test_looking_for_lines_takes_no_more_than_the_length_of_the_text(unit: str) -> None:
    begun = time.process_time()
    lenient.lines_of('"mcpServers"' + unit * (1_000_000 // len(unit)), ["mcpServers"], ["never"])
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xef\xbb\xbf{}", "{}"),
        ("{}".encode("utf-16-le").join([b"\xff\xfe", b""]), "{}"),
        (b"\xfe\xff" + "{}".encode("utf-16-be"), "{}"),
        ("ä".encode(), "ä"),
    ],
)
def test_a_mark_says_how_a_text_is_encoded(raw: bytes, text: str) -> None:
    assert lenient.decode(raw) == text


def test_what_is_no_text_says_on_which_line() -> None:
    with pytest.raises(lenient.Unparsed) as refused:
        lenient.decode(b"a\nb\n\xff")
    assert (refused.value.code, refused.value.line) == ("config/encoding", 3)


@pytest.mark.parametrize(
    ("parse", "text", "code", "line"),
    [
        (lenient.jsonc, '{\n"k": sk-secret}', "config/syntax", 2),
        (lenient.jsonc, '{"a": "never ends', "config/syntax", 1),
        (lenient.jsonc, "/* never ends {}", "config/syntax", 1),
        (lenient.jsonc, "[" * 100_000, "config/depth", 0),
        (lenient.jsonc, "9" * 5_000, "config/number", 0),
        (lenient.toml, 'a = 1\nb = sk-secret"', "config/syntax", 2),
        (lenient.toml, 'a = 1\nb = """sk-secret', "config/syntax", 2),
        (lenient.toml, "a = " + "[" * 100_000, "config/depth", 0),
        (lenient.toml, "a = " + "9" * 5_000, "config/number", 0),
    ],
)
def test_what_does_not_parse_is_named_by_place_and_never_repeated(
    parse: Callable[[str], object], text: str, code: str, line: int
) -> None:
    with pytest.raises(lenient.Unparsed) as refused:
        parse(text)
    assert (refused.value.code, refused.value.line) == (code, line)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("unit", ['"\\"', "/*", "//", ", ", '"', "\\", ",\n", "[,"])
def test_hostile_text_takes_no_more_than_its_length(unit: str) -> None:
    # A square of this length would not end within the test's time.
    with pytest.raises(lenient.Unparsed):
        lenient.jsonc(unit * 400_000)


SECRETS = (
    "sk-ant-api03-abcdef",
    "sk_live_abcdef",
    "ghp_abcdefghijklmnop",
    "github_pat_11ABCDE",
    "xoxb-1234",
    "AKIAIOSFODNN7EXAMPLE",
    "glpat-abc",
    "eyJhbGciOiJIUzI1NiJ9",
    "d41d8cd98f00b204e9800998ecf8427e",
    "pypi-AgEIcHlwaS5vcmc",
    "key=AIzaSyA1234567890abcdefghijk",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_told_nowhere(secret: str) -> None:
    assert discretion.looks_secret(secret)
    assert discretion.without_secret(secret) == discretion.HIDDEN
    assert secret not in discretion.variables([secret, "KEY"])
    assert secret not in (
        discretion.address(f"https://{secret.partition('=')[2] or secret}.example/mcp/{secret}") or ""
    )
    assert discretion.folder(f"/srv/{secret}") is None
    for launch in (
        launch_of("npx", ["-y", secret]),
        launch_of(secret, []),
        launch_of("npx", ["pkg", "--key", secret, secret, f"--key={secret}", f"--{secret}", f"/srv/{secret}"]),
        launch_of("docker", ["run", "-e", f"KEY={secret}", f"--env=OTHER={secret}", "image", secret]),
        launch_of("env", [f"KEY={secret}", "uvx", "pkg"]),
        launch_of("npx", ["mcp-remote", f"https://mcp.example/{secret}/sse?key={secret}", "--header", f"X: {secret}"]),
        launch_of("uvx", ["--from", f"git+https://{secret}@example.org/{secret}", "tool"]),
    ):
        assert secret not in repr(launch)


@pytest.mark.parametrize(
    "name",
    [
        "@modelcontextprotocol/server-filesystem",
        "mcp-server-time",
        "sk-learn",
        "gpt-4o-mini-2024-07-18",
        "claude-opus-4-1",
    ],
)
def test_names_are_no_secrets(name: str) -> None:
    assert discretion.without_secret(name) == name


def test_names_of_an_environment_are_told_and_counted() -> None:
    assert discretion.variables(["B", "A", "A", "not a name", "1X"]) == "A, B, and 2 more"
    assert discretion.variables(f"V{number}" for number in range(70)).endswith("and 10 more")
    assert discretion.variables(()) == ""
    assert discretion.headers(["Authorization", "X-Key", "b c"]) == "Authorization, X-Key, and 1 more"
    assert discretion.names_of({"A": "1"}) == ("A",)
    assert discretion.names_of(["A=1", "B", {"name": "C"}, {"name": 1}, 2]) == ("A", "B", "C")
    assert discretion.names_of("A=1") == ()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        (
            "HTTPS://user:pass@MCP.example.com:8443/api/v1/s/abc/mcp/?key=1#x",
            "https://mcp.example.com:8443/api/v1/*/*/mcp",
        ),
        ("http://[::1]:7070/mcp", "http://[::1]:7070/mcp"),
        ("http://localhost:99999/", None),
        ("http://[oops/", None),
        ("file:///etc/passwd", None),
        ("${URL}/mcp", None),
        ("https://ho st/", None),
    ],
)
def test_an_address_is_told_without_what_may_be_a_key(url: str, told: str | None) -> None:
    assert discretion.address(url) == told


def test_folders_are_told() -> None:
    assert discretion.folder("/srv/data/") == "/srv/data"
    assert discretion.folder("/") == "/"
    assert discretion.folder("~/notes") == "~/notes"
    assert discretion.folder("C:\\Users\\a\\notes\\") == "C:\\Users\\a\\notes"
    assert discretion.folder("word") is None


@pytest.mark.parametrize(
    ("words", "server", "everywhere"),
    [
        (
            "npx -y @modelcontextprotocol/server-filesystem@2025.1.1 /srv",
            "npm:@modelcontextprotocol/server-filesystem",
            True,
        ),
        ("npx -y -p @x/y@1 y-cli", "npm:@x/y", True),
        ("npx --package=@x/y y-cli", "npm:@x/y", True),
        ("npm exec -y -- chrome-devtools-mcp@latest", "npm:chrome-devtools-mcp", True),
        ("pnpm dlx thing", "npm:thing", True),
        ("bunx thing", "npm:thing", True),
        ("C:\\Windows\\System32\\cmd.exe /c npx thing", "npm:thing", True),
        ("cmd /c", "cmd", False),
        ("cmd other", "cmd", False),
        ("uvx mcp-server-git==2025.1 --repository /srv/repo", "pypi:mcp-server-git", True),
        ("uvx --python 3.12 mcp-server-git[extra]", "pypi:mcp-server-git", True),
        ("uvx --from mcp-proxy@1 tool", "pypi:mcp-proxy", True),
        ("uvx --from git+https://example.org/mcp tool", "pypi:https://example.org/mcp", True),
        ("uvx ssh://example", "pypi:(hidden)", True),
        ("uvx (", "pypi:(hidden)", True),
        ("uv tool run thing", "pypi:thing", True),
        ("uv --quiet tool run thing", "pypi:thing", True),
        ("uv run --directory /srv server.py", "server.py", False),
        ("pipx run thing", "pypi:thing", True),
        (
            "docker run -i --rm -e KEY -v /a:/b ghcr.io/github/github-mcp-server:1.2",
            "oci:ghcr.io/github/github-mcp-server",
            True,
        ),
        ("docker run localhost:5000/mcp/server@sha256:00", "oci:localhost:5000/mcp/server", True),
        ("docker run ~!", "oci:(hidden)", True),
        ("docker run -i", "docker", False),
        ("docker ps", "docker", False),
        ("python3 -u -m mcp_server_time --zone UTC", "python:mcp_server_time", True),
        ("python -m -x", "python", False),
        ("python /srv/server.py", "server.py", False),
        ("node /srv/index.js", "index.js", False),
        ("env A=1 -i B=2 node x.js", "x.js", False),
        ("env", "env", False),
        ("npx mcp-remote https://mcp.example.com/mcp", "https://mcp.example.com/mcp", True),
        ("npx mcp-remote", "npm:mcp-remote", True),
        ("/opt/bin/my-server.exe --port 1", "my-server", False),
        ("/", "(hidden)", False),
    ],
)
def test_what_a_command_starts(words: str, server: str, everywhere: bool) -> None:
    command, *arguments = words.split(" ")
    launch = launch_of(command, arguments)
    assert (launch.server, launch.everywhere) == (server, everywhere)


def test_options_variables_and_folders_are_names() -> None:
    launch = launch_of(
        "docker",
        [
            "run",
            "-e",
            "TOKEN=abc",
            "--env=OTHER=abc",
            "-e",
            "THIRD",
            "image",
            "--zone",
            "UTC",
            "--zone=UTC",
            "/srv/data",
            "-x!",
        ],
    )
    assert launch.options == ("--zone",)
    assert launch.variables == ("TOKEN", "OTHER", "THIRD")
    assert launch.folders == ("/srv/data",)
