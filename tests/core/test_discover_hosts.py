"""Configuration and processes of a host come to clients, servers, models, tools and folders, by name alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.discover import client_configuration as reading
from remit.discover.client_configuration import ANY, ClientConfiguration, ConfigurationFault, Layout, read_configuration
from remit.discover.clients import CLIENTS, PathRoot
from remit.discover.conditions import ConditionFacts
from remit.discover.drift import DriftMemory
from remit.discover.hosts import Provenance, from_configuration, from_processes, trait_text
from remit.discover.identity import BundleRegistry
from remit.discover.inventory import Inventory, InventoryChange
from remit.discover.lenient import jsonc
from remit.discover.processes import Process, RecognisedProcess, recognise
from remit.discover.sighting import (
    EDGES_MAX,
    TEXT_CHARS_MAX,
    TRAITS_MAX,
    Edge,
    Kind,
    SourceConfidence,
    Trait,
    Verb,
    subject,
)
from remit.discover.sighting_json import from_json, to_json
from remit.discover.view import View

if TYPE_CHECKING:
    from remit.facts.canonical import Json

SEEN = Provenance("box", "alice", "/home/alice/.x.json", 1_000, "host:box", 3)
CLAUDE = CLIENTS[0]
LAYOUT = Layout(
    (("mcpServers",), ("projects", ANY, "mcpServers")),
    (("model",), ("models", ANY)),
    (("env",),),
    (("permissions", "allow"),),
)


def of(value: Json) -> ClientConfiguration:
    return read_configuration(value, LAYOUT)


def test_every_way_to_declare_a_server_is_read() -> None:
    found = of(
        jsonc(
            """{"mcpServers": {
            "plain": {"command": "npx", "args": ["-y", "a", 1], "env": {"KEY": "hush"}, "autoApprove": ["read", " "]},
            "listed": {"command": ["uvx", "b"], "env_vars": ["C", {"name": "D"}], "disabled": true},
            "nested": {"command": {"path": "/opt/c", "args": ["--x"], "env": {"E": "hush"}}, "enabled": false},
            "within": {"transport": {"type": "stdio", "command": "npx", "args": ["d"]}},
            "remote": {"url": "https://e.example/mcp", "headers": {"Authorization": "hush"}, "trust": true},
            "old": {"type": "sse", "serverUrl": "https://f.example/x"},
            "older": {"httpUrl": "https://g.example/sse/", "bearer_token_env_var": "TOKEN"},
            "odd": {"url": "${HUSH}"},
            "extension": {"settings": {"key": "hush"}, "enabled_tools": "one"}
            },
            "projects": {"/p": {"mcpServers": {"more": {"command": "npx", "args": ["h"], "alwaysAllow": ["t"]}}},
            "/q": 1},
            "model": "gpt-5", "models": {"a": ["m", 1], "b": "ghp_hush"}, "env": {"A_KEY": "hush"},
            "permissions": {"allow": ["Bash(hush:*)", "mcp__files__read"]}}"""
        )
    )
    told = {
        entry.name: (entry.transport, entry.launch.server, entry.variables, entry.enabled) for entry in found.entries
    }
    assert told == {
        "plain": ("stdio", "npm:a", "KEY", True),
        "listed": ("stdio", "pypi:b", "C, D", False),
        "nested": ("stdio", "c", "E", False),
        "within": ("stdio", "npm:d", "", True),
        "remote": ("http", "https://e.example/mcp", "", True),
        "old": ("sse", "https://f.example/*", "", True),
        "older": ("sse", "https://g.example/sse", "TOKEN", True),
        "odd": ("http", "(hidden)", "", True),
        "extension": ("stdio", "zed:extension", "", True),
        "more": ("stdio", "npm:h", "", True),
    }
    by = {entry.name: entry for entry in found.entries}
    assert by["plain"].approved == by["plain"].tools == ("read",)
    assert by["extension"].tools == ("one",)
    assert not by["extension"].approved
    assert by["remote"].headers == "Authorization"
    assert by["remote"].trusted
    assert (found.models, found.variables) == (("gpt-5", "m", "(hidden)"), "A_KEY")
    assert found.permissions == ("Bash(…)", "mcp__files__read")
    assert not found.faults
    assert "hush" not in repr(found).lower()


WORD = "hush"
NAMES = st.sampled_from(["KEY", "TOKEN", "a", "--key", "-e", "--env", "-p"])
WORDS = st.lists(
    st.sampled_from(
        ["-y", "--key", "-e", "--", "run", "/srv", "--key=hush", "-e=hush", "K=hush", "--env=K=hush", "-k", "x"]
    )
    | st.tuples(
        st.sampled_from(["--key", "--token", "--header"]), st.sampled_from(["hush", "Bearer hush", "X: hush"])
    ).map(" ".join),
    max_size=8,
)
ADDRESSES = st.sampled_from(
    [
        "https://hush@e.example/mcp",
        "https://u:hush@e.example/mcp",
        "https://e.example/hush/mcp",
        "https://e.example/mcp?key=hush#hush",
        "hush",
        "file:///hush",
    ]
)
VALUED = st.dictionaries(
    st.sampled_from(["KEY", "TOKEN"]), st.just(WORD) | st.lists(st.just(WORD), max_size=2), max_size=2
)
SPECS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    dict[str, st.SearchStrategy[str]](),
    optional={
        "command": st.sampled_from(["npx", "uvx", "docker", "node", "python", "/opt/own", "env", "cmd"]),
        "args": WORDS.map(lambda words: ["package", *" ".join(words).split(" ")]),
        "env": VALUED,
        "headers": VALUED,
        "http_headers": VALUED,
        "url": ADDRESSES,
        "serverUrl": ADDRESSES,
        "oauth": VALUED,
        "settings": VALUED,
        "transport": st.fixed_dictionaries({"url": ADDRESSES, "env": VALUED}),
        "env_vars": st.lists(st.sampled_from(["K=hush", "K"]), max_size=2),
    },
)


@example({"command": "env", "args": ["package", "-e=hush"]}, {})
@given(SPECS, VALUED)
def test_no_value_of_a_configuration_is_told(spec: dict[str, Json], environment: dict[str, Json]) -> None:
    found = of(
        {"mcpServers": {"s": spec}, "env": environment, "permissions": {"allow": ["Bash(hush)"]}, "apiKey": WORD}
    )
    told = repr(found) + repr([*from_configuration(CLAUDE, found, SEEN)])
    assert WORD not in told


@pytest.mark.parametrize(
    ("value", "named", "why"),
    [
        ([], [""], "the file holds no object"),
        ({"mcpServers": []}, ["mcpServers"], "what should list servers is no object"),
        (
            {"mcpServers": {"a": 1, "b": {}, "c": {"command": " "}, "d": {"source": "x", "settings": {}}}},
            [*"abcd"],
            "it declares neither a command nor an address",
        ),
        ({"projects": 1, "model": {}, "permissions": {"allow": {}}, "env": 1}, [], ""),
    ],
)
def test_what_has_the_wrong_shape_is_named_and_the_rest_goes_on(value: Json, named: list[str], why: str) -> None:
    assert of(value) == ClientConfiguration(
        faults=tuple(ConfigurationFault("config/shape", name, why) for name in named)
    )


def test_servers_of_one_file_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ENTRIES_MAX", 2)
    found = of({"mcpServers": {name: {"command": name} for name in "abcd"}})
    assert [entry.name for entry in found.entries] == ["a", "b"]
    assert [fault.code for fault in found.faults] == ["config/entries"]


def test_a_client_uses_its_servers_and_says_how() -> None:
    found = of(
        {
            "mcpServers": {
                "files": {
                    "command": "npx",
                    "args": ["fs", "/srv", "~/notes"],
                    "autoApprove": ["read"],
                    "env": {"K": ""},
                },
                "own": {"command": "/opt/own", "disabled": True},
                "web": {"url": "https://w.example/mcp", "headers": {"X-Key": ""}, "trust": True},
            },
            "model": "gpt-5",
            "env": {"A": ""},
            "permissions": {"allow": ["Bash"]},
        }
    )
    *servers, agent = from_configuration(CLAUDE, found, SEEN)
    assert [str(one.subject) for one in servers] == [
        "server/npm:fs",
        "server/host:own@box",
        "server/https://w.example/mcp",
    ]
    assert [str(edge.to) for edge in servers[0].edges] == [
        "tool/npm:fs/read",
        "data/host:file://box/srv",
        "data/host:~/notes@box",
    ]
    assert str(agent.subject) == "agent/host:claude-code/alice@box"
    assert [f"{edge.verb} {edge.to}" for edge in agent.edges] == [
        "uses model/gpt-5",
        "uses server/npm:fs",
        "uses tool/npm:fs/read",
        "uses server/https://w.example/mcp",
    ]
    assert dict(agent.traits) == {
        "server files in /home/alice/.x.json": "stdio npm:fs; folder /srv; folder ~/notes; environment K; unasked read",
        "server own in /home/alice/.x.json": "stdio own; switched off",
        "server web in /home/alice/.x.json": "http https://w.example/mcp; headers X-Key; all unasked",
        "environment in /home/alice/.x.json": "A",
        "permission in /home/alice/.x.json": "Bash",
        "client": "Claude Code",
    }
    assert (agent.owner, agent.evidence) == ("alice", "/home/alice/.x.json:3")


OWN = "/v/bin/remit"
RELAY = ["mcp", "--token-file", "/t", "--server=files", "--in-the-open"]


@pytest.mark.parametrize(
    ("command", "words", "variables", "named"),
    [
        (OWN, RELAY, {"REMIT_TOKEN_FILE": "/t"}, "relay/http://127.0.0.1:7070/mcp@box"),
        (OWN, [*RELAY, "--url", "https://r.example/"], {}, "relay/https://r.example/mcp@box"),
        (OWN, [*RELAY, "--url=http://localhost:7171"], {}, "relay/http://localhost:7171/mcp@box"),
        ("/elsewhere/remit", RELAY, {}, "remit@box"),
        (OWN, RELAY, {"PYTHONPATH": "/evil"}, "remit@box"),
        (OWN, RELAY, {"REMIT_URL": "https://r.example"}, "remit@box"),
        (OWN, [*RELAY, "--url", "not one"], {}, "remit@box"),
        (OWN, [*RELAY, "--url"], {}, "remit@box"),
        (OWN, [*RELAY, "--more"], {}, "remit@box"),
        (OWN, ["demo"], {}, "remit@box"),
    ],
)
def test_remits_own_relay_is_known_by_its_program_and_by_no_name(
    command: str, words: list[str], variables: dict[str, str], named: str
) -> None:
    value: Json = {"mcpServers": {"remit": {"command": command, "args": [*words], "env": {**variables}}}}
    found = read_configuration(value, LAYOUT, OWN.__eq__)
    [server, _] = from_configuration(CLAUDE, found, SEEN)
    assert str(server.subject) == f"server/host:{named}"
    # Who knows no such program believes none.
    [other, _] = from_configuration(CLAUDE, of(value), SEEN)
    assert str(other.subject) == "server/host:remit@box"


def test_a_changed_configuration_is_drift_of_the_client() -> None:
    inventory, changes = Inventory(), list[InventoryChange]()
    for at, arguments, rules in (
        (1_000, ["fs", "/srv"], ["Read"]),
        (2_000, ["fs", "/srv", "/home"], ["Read", "Bash(*)"]),
    ):
        found = of({"mcpServers": {"files": {"command": "npx", "args": arguments}}, "permissions": {"allow": rules}})
        for sighting in from_configuration(CLAUDE, found, replace(SEEN, now_ms=at)):
            changes += inventory.take(sighting)
    view = View(inventory, BundleRegistry(), {}, ConditionFacts(2_000))
    told = {drift.kind: (drift.before, drift.after) for drift in DriftMemory().drifts(changes, view)}
    assert told == {
        "server-changed": ("stdio npm:fs; folder /srv", "stdio npm:fs; folder /srv; folder /home"),
        "permission-changed": ("Read", "Bash(…); Read"),
    }


def test_an_editor_that_nobody_configured_for_agents_is_none() -> None:
    assert not [*from_configuration(CLAUDE, ClientConfiguration(), SEEN, alone=False)]
    assert len([*from_configuration(CLAUDE, ClientConfiguration(), SEEN)]) == 1


def test_what_is_too_much_for_one_sighting_is_told_by_several() -> None:
    of_ = subject(Kind.AGENT, "a")
    edges = [Edge(Verb.USES, subject(Kind.TOOL, str(number))) for number in range(EDGES_MAX + 1)]
    traits = [Trait(str(number), "") for number in range(3 * TRAITS_MAX)]
    told = [*SEEN.sightings(of_, edges, traits)]
    assert [(len(one.edges), len(one.traits)) for one in told] == [
        (EDGES_MAX, TRAITS_MAX),
        (1, TRAITS_MAX),
        (0, TRAITS_MAX),
    ]


def test_a_long_trait_ends_in_a_digest_so_that_a_change_shows() -> None:
    one, other = trait_text(["a" * 500, "b"]), trait_text(["a" * 500, "c"])
    assert one != other
    assert len(one) == TEXT_CHARS_MAX
    assert trait_text(["a", "b"]) == "a; b"


def process(pid: int, command: str, parent: int = 1, *variables: str) -> Process:
    return Process(pid, parent, "alice", tuple(command.split()), variables)


def test_running_clients_and_their_servers_are_recognised() -> None:
    found = recognise(
        [
            process(2, "/usr/bin/claude --x", 1, "ANTHROPIC_API_KEY", "HOME", "ghp_abcdefghijklmnop_KEY"),
            process(3, "npm exec @modelcontextprotocol/server-memory", 2),
            process(4, "node /x/node_modules/.bin/mcp-server-memory", 3, "A_TOKEN"),
            process(5, "/v/bin/python /v/bin/mcp-server-time", 99),
            process(6, "node /x/node_modules/@google/gemini-cli/dist/index.js"),
            process(7, "node --no-warnings /usr/local/bin/gemini"),
            process(8, "node server.js"),
            process(9, ""),
            process(10, "vim mcp.json"),
            process(11, "uvx mcp-server-git", 11),
        ]
    )
    assert [(one.pid, one.client or (one.launch.server if one.launch else ""), one.of_client) for one in found] == [
        (2, "claude-code", ""),
        (3, "npm:@modelcontextprotocol/server-memory", "claude-code"),
        (4, "mcp-server-memory", "claude-code"),
        (5, "mcp-server-time", ""),
        (6, "gemini-cli", ""),
        (7, "gemini-cli", ""),
        (11, "pypi:mcp-server-git", ""),
    ]
    assert [one.variables for one in found[:3]] == ["ANTHROPIC_API_KEY, and 1 more", "", "A_TOKEN"]
    told = [*from_processes([*found, RecognisedProcess(12, "bob", "")], SEEN)]
    assert {one.confidence for one in told} == {SourceConfidence.REPORTED}
    assert [str(one.subject) for one in told][:3] == [
        "agent/host:claude-code/alice@box",
        "server/npm:@modelcontextprotocol/server-memory",
        "agent/host:claude-code/alice@box",
    ]
    assert dict(told[0].traits) == {
        "client": "Claude Code",
        "environment of the process": "ANTHROPIC_API_KEY, and 1 more",
    }


def test_what_remit_started_is_told_apart_by_the_command_it_gave() -> None:
    found = recognise(
        [
            process(20, "/v/bin/python /v/bin/remit up --data d"),
            process(21, "uvx mcp-server-time --utc", 20),
            process(22, "/c/bin/python /c/bin/mcp-server-time --utc", 21),
            process(30, "/v/bin/python -P -m remit.app.main up", 20),
            process(31, "npx @modelcontextprotocol/server-memory", 30),
            process(40, "/usr/bin/claude", 20),
            process(41, "uvx mcp-server-git", 40),
            process(50, "vim remit", 1),
            process(51, "uvx mcp-server-git", 50),
            process(61, "", 1),
            process(62, "uvx mcp-server-git", 61),
        ]
    )
    told = [*from_processes(found, SEEN)]
    assert [(str(one.subject), one.evidence) for one in told if one.subject.kind is Kind.SERVER] == [
        ("server/host:remit/pypi:mcp-server-time@box", "process 21, started by Remit (process 20)"),
        ("server/host:remit/pypi:mcp-server-time@box", "process 22, started by Remit (process 20)"),
        ("server/host:remit/npm:@modelcontextprotocol/server-memory@box", "process 31, started by Remit (process 30)"),
        ("server/pypi:mcp-server-git", "process 41"),
        ("server/pypi:mcp-server-git", "process 51"),
        ("server/pypi:mcp-server-git", "process 62"),
    ]
    assert [one.of_client for one in found if one.pid == 41] == ["claude-code"]


def test_a_loop_of_parents_ends() -> None:
    found = recognise([process(1, "sh -c x", 2), process(2, "uvx mcp-server-git", 1)])
    assert [(one.pid, one.of_remit, one.of_client) for one in found] == [(2, 0, "")]


def test_every_file_of_every_client_is_a_path_below_its_root() -> None:
    for client in CLIENTS:
        for file in client.files:
            assert file.path.startswith("/") == (file.root is PathRoot.MACHINE), file
            assert ".." not in file.path


def test_a_sighting_is_written_and_read_back() -> None:
    traits = [Trait("client", "x")]
    (one,) = SEEN.sightings(subject(Kind.AGENT, "a", "host"), [Edge(Verb.USES, subject(Kind.MODEL, "m"))], traits)
    assert from_json(to_json(one)) == one
    spec = to_json(one)
    del spec["count"], spec["owner"]
    assert from_json(spec) == one


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("subject", 1, "subject is of the wrong type"),
        ("subject", "x", "no subject"),
        ("source", None, "source is missing"),
        ("first_ms", True, "first_ms is of the wrong type"),
        ("confidence", "sure", "confidence is none of guessed"),
        ("owner", 1, "owner is no text"),
        ("edges", 1, "edges is no list"),
        ("edges", [1], "an edge: no object"),
        ("edges", [{"verb": "eats", "to": "model/m"}], "no verb: eats"),
        ("traits", [1], "traits: no object"),
        ("traits", {"a": 1}, "a is of the wrong type"),
    ],
)
def test_what_is_no_sighting_says_why(key: str, value: Json, why: str) -> None:
    (one,) = SEEN.sightings(subject(Kind.AGENT, "a"))
    with pytest.raises(ValueError, match=why):
        from_json({**to_json(one), key: value})
    with pytest.raises(ValueError, match="a sighting: no object"):
        from_json([])
