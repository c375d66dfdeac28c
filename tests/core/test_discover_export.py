"""The inventory leaves as CSV, JSON and CycloneDX, comes back as it was, and is drawn; what is wrong is named."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from remit.discover import inventory_map
from remit.discover.export import as_csv, as_cyclonedx, as_json
from remit.discover.file_import import ImportFile, ImportProblem, read_import
from remit.discover.graph import Node, nodes_of, short_name, with_targets
from remit.discover.inventory import fold
from remit.discover.inventory_map import LINES_MAX, as_svg, of_team, teams_of
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb, subject
from remit.discover.sighting_json import to_json

NOW = "2026-11-28T12:00:00Z"
ORIGIN = ImportFile("list.csv", 1_000)
HOSTILE = '<script href="https://evil.example">&\'"\u202e\n'
NAMES = st.text(max_size=30) | st.sampled_from([HOSTILE, "=1+1", "https://a.example/mcp", "otlp:x", "@x/y"])
EATS = {"name": "remit:link:eats", "value": "model/m"}
SUBJECTS = st.builds(subject, st.sampled_from(Kind), NAMES, st.sampled_from(["", "host", "repo", "otlp"]))
NODES = st.lists(
    st.builds(
        Node,
        SUBJECTS,
        st.none() | st.sampled_from(["payments", "-team", HOSTILE]),
        st.just(NOW),
        st.just(NOW),
        st.just("declared"),
        st.just(("host:box",)),
        st.sampled_from([(), ("Shadow",), ("Owned",)]),
        st.lists(
            st.tuples(st.sampled_from([Verb.USES, Verb.READS, Verb.WRITES, Verb.DELEGATES]), SUBJECTS), max_size=4
        ).map(lambda links: tuple(sorted(set(links)))),
        st.just((("client", "x"),)),
    ),
    max_size=12,
    unique_by=lambda node: node.subject,
)


def sightings(text: str) -> list[Sighting]:
    return [one for one in read_import(text, ORIGIN) if isinstance(one, Sighting)]


def wrong(text: str) -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in read_import(text, ORIGIN) if isinstance(one, ImportProblem)]


@given(NODES)
def test_cyclonedx_is_valid_against_its_schema(nodes: list[Node]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(as_cyclonedx(nodes, NOW, "1.0")) is None


@given(NODES)
def test_what_is_exported_is_read_back(nodes: list[Node]) -> None:
    links = {(node.subject, verb, to) for node in nodes for verb, to in node.links}
    subjects = {node.subject for node in with_targets(nodes)}
    for text in (as_cyclonedx(nodes, NOW, "1"), as_json(nodes)):
        found = sightings(text)
        assert not wrong(text)
        assert {one.subject for one in found} == subjects
        assert {(one.subject, edge.verb, edge.to) for one in found for edge in one.edges} == links
    assert not wrong(as_csv(nodes))
    assert {one.subject for one in sightings(as_csv(nodes))} == subjects


@given(NODES)
def test_no_cell_is_a_formula(nodes: list[Node]) -> None:
    for row in csv.reader(io.StringIO(as_csv(nodes))):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


@given(NODES)
def test_the_map_is_one_drawing_whose_texts_are_texts(nodes: list[Node]) -> None:
    root = ET.fromstring(as_svg(nodes))
    tags = {one.tag.rpartition("}")[2] for one in root.iter()}
    assert tags <= {"svg", "title", "style", "rect", "text", "g", "path"}
    assert not [key for one in root.iter() for key in one.attrib if "href" in key or key.startswith("on")]


def test_the_map_collapses_agents_by_team_and_tools_by_server() -> None:
    server, made = Subject(Kind.SERVER, "github"), Subject(Kind.TOOL, "x/src/a.py#look", "repo")
    data = Subject(Kind.DATA, "file://box/srv")
    tools = [Subject(Kind.TOOL, f"github/tool-{number}") for number in range(LINES_MAX + 3)]
    own = Subject(Kind.SERVER, "linked")
    agents = [
        Node(
            Subject(Kind.AGENT, f"a{number}"),
            "payments",
            conditions=("Shadow", "Owned") if number == 1 else (),
            links=((Verb.USES, tools[number]), (Verb.USES, Subject(Kind.MODEL, "gpt-5")), (Verb.USES, server)),
        )
        for number in range(2)
    ]
    other = Node(Subject(Kind.AGENT, "b"), None, links=((Verb.DELEGATES, agents[0].subject), (Verb.USES, made)))
    nodes = [
        *agents,
        other,
        Node(server, links=((Verb.WRITES, data), *((Verb.USES, tool) for tool in tools))),
        Node(own, links=((Verb.USES, Subject(Kind.TOOL, "plain")), (Verb.USES, server))),
        Node(Subject(Kind.TOOL, "alone", "otlp")),
        Node(Subject(Kind.TOOL, "linked/by-name")),
        Node(Subject(Kind.PROMPT, "p")),
    ]
    text = as_svg(nodes)
    assert "payments  ·  2 agents" in text
    assert "no owner  ·  1 agent<" in text
    assert "models: gpt-5" in text
    assert "a1  (Shadow)" in text
    assert "and 3 more" in text
    assert text.count("<g class=") == 2 + 4 + 1
    assert "payments  ·  2 agents uses github: 4" in text
    assert "github writes file://box/srv: 1" in text
    assert teams_of(nodes) == ["no owner", "payments"]
    mine = of_team(nodes, "payments")
    assert {node.owner for node in mine if node.owner} == {"a0", "a1"}
    assert "a0  ·  1 agent" in as_svg(mine)
    assert {str(node.subject) for node in of_team(nodes, "no owner")} > {
        "agent/b",
        "agent/a0",
        "tool/repo:x/src/a.py#look",
    }


def test_boxes_of_two_hundred_nodes_stand_apart_and_hold_their_texts() -> None:
    servers = [Subject(Kind.SERVER, f"server-{number}") for number in range(12)]
    tools = [Subject(Kind.TOOL, f"server-{number % 12}/tool-with-a-long-name-{number}") for number in range(90)]
    data = [Subject(Kind.DATA, f"file://box/srv/some/folder/that/is/deep/{number}") for number in range(20)]
    agents = [
        Node(
            Subject(Kind.AGENT, f"agent-{number}-" + "x" * (number % 60)),
            f"team {number % 6}",
            links=((Verb.USES, tools[number]), (Verb.USES, servers[number % 12]), (Verb.WRITES, data[number % 20])),
        )
        for number in range(78)
    ]
    root = ET.fromstring(as_svg(agents))
    assert len(with_targets(agents)) == 78 + 12 + 78 + 20
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = [group for group in root.iter() if group.tag.endswith("}g")]
    assert len(boxes) == 6 + 12 + 20
    placed: list[tuple[float, float, float, float]] = []
    for box in boxes:
        rect = next(one for one in box if one.tag.endswith("}rect"))
        x, y, wide, high = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
        assert not any(x == other[0] and y < other[1] + other[3] and other[1] < y + high for other in placed)
        placed.append((x, y, wide, high))
        for text in (one for one in box if one.tag.endswith("}text")):
            # Half an em for a letter is more than this font takes on average.
            assert len(text.text or "") * 6.3 <= wide - 12
            assert y < float(text.attrib["y"]) < y + high
    assert height < 2_500


def test_what_is_worst_stands_first() -> None:
    """By links alone the second team would stand between the others."""
    servers = [Subject(Kind.SERVER, name) for name in "xyz"]
    told: list[tuple[tuple[str, ...], ...]] = [(("Shadow",), ("Drifted",), ()), ((),), (("ToxicCombination",),)]
    agents = [
        Node(
            Subject(Kind.AGENT, f"a{team}{number}"),
            f"team {team}",
            conditions=conditions,
            links=((Verb.USES, servers[team]),),
        )
        for team, each in enumerate(told)
        for number, conditions in enumerate(each[::-1])
    ]
    text = as_svg(agents)
    tops = {one[2]: float(one[1]) for one in re.finditer(r'y="(\d+)"[^>]*>(team \d)  ·', text)}
    assert sorted(tops, key=lambda team: tops[team]) == ["team 2", "team 0", "team 1"]
    lines = [text.index(f">{name}") for name in ("a02  (Shadow)", "a01  (Drifted)", "a00<")]
    assert lines == sorted(lines)


def test_no_line_runs_behind_a_box() -> None:
    """What an agent does with data goes past the servers, in the room between them."""
    servers = [Node(Subject(Kind.SERVER, f"s{number}")) for number in range(5)]
    data = [Subject(Kind.DATA, f"d{number}") for number in range(9)]
    agents = [
        Node(
            Subject(Kind.AGENT, f"a{number}"),
            f"t{number}",
            links=tuple((verb, data[(number + step) % 9]) for step in range(3) for verb in (Verb.READS, Verb.WRITES)),
        )
        for number in range(9)
    ]
    root = ET.fromstring(as_svg([*agents, *servers]))
    between = [one for one in root.iter() if one.attrib.get("class", "").startswith("server")]
    rects = [next(one for one in box if one.tag.endswith("}rect")) for box in between]
    taken = [(float(one.attrib["y"]), float(one.attrib["y"]) + float(one.attrib["height"])) for one in rects]
    passing = [one.attrib["d"] for one in root.iter() if "H" in one.attrib.get("d", "") and "C" in one.attrib["d"]]
    assert (len(taken), len(passing)) == (5, 54)
    left, right = float(rects[0].attrib["x"]), float(rects[0].attrib["x"]) + float(rects[0].attrib["width"])
    for path in passing:
        before, _, after = path.partition("H")
        *_, x, y = before.split(" ")[-2:]
        assert not any(top <= float(y) <= bottom for top, bottom in taken), path
        assert (float(x), float(after.partition("C")[0])) == (left, right)
    assert "d0" in as_svg([Node(Subject(Kind.AGENT, "a"), links=((Verb.READS, data[0]),))]), "also where no server is"


def test_much_data_is_one_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_map, "DATA_MAX", 1)
    assert as_svg([Node(Subject(Kind.DATA, name)) for name in "ab"]).count("<g class=") == 1


def test_an_empty_inventory_is_drawn() -> None:
    assert "</svg>" in as_svg([])


def test_nodes_of_an_inventory_that_no_service_keeps() -> None:
    agent, model = Subject(Kind.AGENT, "a"), Subject(Kind.MODEL, "m")
    edges = (Edge(Verb.USES, model), Edge(Verb.SAME, Subject(Kind.AGENT, "b")))
    one = Sighting(agent, "host:box", "x", 0, 1_000, SourceConfidence.DECLARED, "uma", edges, (Trait("client", "x"),))
    (first, *_, last) = nodes_of(fold([one]))
    assert first == Node(
        agent,
        "uma",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:01Z",
        "declared",
        ("host:box",),
        (),
        ((Verb.USES, model),),
        (("client", "x"),),
    )
    assert last.subject == model


def test_short_names_are_for_people() -> None:
    assert short_name(Subject(Kind.TOOL, "files/read")) == "read"
    assert short_name(Subject(Kind.AGENT, "shop/src/a.py#helper", "repo")) == "helper (a.py)"
    assert short_name(Subject(Kind.PROMPT, "shop/src/a.py#words", "repo")) == "words"
    assert short_name(Subject(Kind.AGENT, "shop", "repo")) == "shop"
    assert short_name(Subject(Kind.SERVER, "npm:@x/y")) == "npm:@x/y"


def test_when_by_whom_and_how_well_it_was_seen_is_read_back() -> None:
    """An import states no more than an importer may: nothing enforced, and nothing that is yet to come."""
    agent, model = Subject(Kind.AGENT, "a"), Subject(Kind.MODEL, "m")
    seen = ("2023-11-14T22:00:00Z", "2023-11-14T22:13:20Z")
    links = ((Verb.USES, model),)
    nodes = [
        Node(agent, "uma", *seen, "enforced", ("ledger", "otlp:a"), (), links, (("version", "1"),)),
        Node(model, None, "1960-01-01T00:00:00Z", "2999-01-01T00:00:00", "guessed", ("repo:shop",)),
    ]
    origin = ImportFile("list.csv", 1_800_000_000_000)
    for text in (as_csv(nodes), as_json(nodes), as_cyclonedx(nodes, NOW, "1")):
        first, second, third = (one for one in read_import(text, origin) if isinstance(one, Sighting))
        for one in (first, second):
            assert (one.subject, one.first_ms, one.last_ms) == (agent, 1_699_999_200_000, 1_700_000_000_000)
            assert one.confidence is SourceConfidence.DECLARED
        assert [one.source for one in (first, second)] == ["import:list.csv: ledger", "import:list.csv: otlp:a"]
        assert ([str(edge.to) for edge in first.edges], first.owner) == (["model/m"], "uma")
        assert (second.edges, second.traits, second.owner) == ((), (), None)
        assert (third.subject, third.confidence, third.first_ms, third.last_ms) == (
            model,
            SourceConfidence.GUESSED,
            0,
            origin.now_ms,
        )
    again = as_json(nodes_of(fold((first, second, third))))
    sources = {one.source for one in read_import(again, origin) if isinstance(one, Sighting)}
    assert sources == {"import:list.csv: ledger", "import:list.csv: otlp:a", "import:list.csv: repo:shop"}
    by_hand = "kind,name,confidence,first\nagent,a,quite,soon\n"
    assert [one.confidence for one in sightings(by_hand)] == [SourceConfidence.DECLARED], "columns of somebody's own"
    late = Sighting(agent, "host:box", "x", 5_000, 9_000)
    (capped,) = sightings(json.dumps({"sightings": [to_json(late)]}))
    assert (capped.first_ms, capped.last_ms) == (1_000, 1_000)


def test_an_application_that_depends_on_a_model_is_taken_for_an_agent() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"type": "application", "bom-ref": "app", "name": "Concierge", "version": "2"}},
        "components": [
            {"type": "machine-learning-model", "bom-ref": "m", "name": "llama-3"},
            {"type": "application", "bom-ref": "plain", "name": "psql"},
            {"type": "application", "bom-ref": "nameless"},
            {"type": "application", "bom-ref": "sub", "name": "Sub"},
        ],
        "dependencies": [
            {"ref": "app", "dependsOn": ["m", "plain", "sub"]},
            {"ref": "plain", "dependsOn": ["app"]},
            {"ref": "nameless", "dependsOn": ["m"]},
            {"ref": "sub", "dependsOn": ["m"]},
        ],
    }
    found = {str(one.subject): one for one in sightings(json.dumps(document))}
    assert wrong(json.dumps(document)) == [("import/entry", "list.csv: components[2]")]
    assert sorted(found) == ["agent/import:Concierge", "agent/import:Sub", "model/llama-3"]
    app = found["agent/import:Concierge"]
    assert [f"{edge.verb} {edge.to}" for edge in app.edges] == ["uses model/llama-3", "delegates agent/import:Sub"]
    assert app.confidence is SourceConfidence.GUESSED
    assert app.evidence == "list.csv: metadata.component, an application that depends on a model"
    assert app.traits == (Trait("version", "2"),)


def test_a_survey_by_hand_is_read() -> None:
    text = "Kind, Name ,owner,links\nagent,Helper,payments,uses model/gpt-5; reads data/x\n\nmodel,gpt-5\n"
    agent, model = sightings(text)
    assert (str(agent.subject), agent.owner, agent.evidence) == ("agent/import:Helper", "payments", "list.csv: line 2")
    assert [str(edge.to) for edge in agent.edges] == ["model/gpt-5", "data/x"]
    assert (str(model.subject), model.source, model.confidence) == (
        "model/gpt-5",
        "import:list.csv",
        SourceConfidence.DECLARED,
    )
    assert not wrong(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", [("import/shape", "list.csv")]),
        ("a,b\n1,2", [("import/shape", "list.csv: line 1")]),
        (
            'kind,name\nagent,a\nthing,b\nagent,\nagent, \n"agent","b"\n',
            [("import/entry", f"list.csv: line {number}") for number in (3, 4, 5)],
        ),
        (
            '{"entries": [{"subject": "agent/a", "confidence": "sure"}, {"subject": "agent/a", "first": "soon"}]}',
            [("import/entry", "list.csv: entries[0]"), ("import/entry", "list.csv: entries[1]")],
        ),
        (
            '{"bomFormat": "CycloneDX", "metadata": {"component": 1}, "services": [{"name": " "}]}',
            [("import/entry", "list.csv: metadata.component"), ("import/entry", "list.csv: services[0]")],
        ),
        (
            "subject,links\nagent/a,eats model/m\nagent/a\nnone\n",
            [("import/entry", "list.csv: line 2"), ("import/entry", "list.csv: line 4")],
        ),
        ("subject\n" + "x" * 200_000, [("import/syntax", "list.csv:2")]),
        ("{\n]", [("import/syntax", "list.csv:2")]),
        ("[" * 100_000, [("import/syntax", "list.csv")]),
        ("[]", [("import/shape", "list.csv")]),
        ('{"sightings": 1}', [("import/shape", "list.csv")]),
        (
            '{"sightings": [1, {"evidence": 1}, {"subject": "agent/a"}, {"subject": "x"}]}',
            [("import/entry", f"list.csv: sightings[{number}]") for number in (0, 1, 3)],
        ),
        (
            '{"bomFormat": "CycloneDX", "components": [1, {"type": "data"}, {"type": "library"}], "services": 1}',
            [("import/entry", "list.csv: components[0]"), ("import/entry", "list.csv: components[1]")],
        ),
        (
            json.dumps(
                {"bomFormat": "CycloneDX", "components": [{"type": "data", "name": "x", "properties": [EATS, 1]}]}
            ),
            [("import/entry", "list.csv: components[0]")],
        ),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_is_taken(text: str, where: list[tuple[str, str]]) -> None:
    assert wrong(text) == where


def test_a_bill_of_materials_of_others_is_read() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [
            {"type": "machine-learning-model", "bom-ref": "m", "name": "llama-3", "version": "1"},
            {"type": "library", "bom-ref": "l", "name": "left-pad"},
            {"type": "data", "name": "people"},
        ],
        "services": [
            {"bom-ref": "s", "name": "Search", "endpoints": ["ftp://x", "https://k@search.example/mcp?key=1"]},
            {"name": "Own"},
        ],
        "dependencies": [{"ref": "s", "dependsOn": ["m", "l"]}, {"ref": "m"}, 1],
    }
    told = {
        str(one.subject): [f"{edge.verb} {edge.to}" for edge in one.edges] for one in sightings(json.dumps(document))
    }
    assert told == {
        "model/llama-3": [],
        "data/import:people": [],
        "server/https://search.example/mcp": ["uses model/llama-3"],
        "server/import:Own": [],
    }


def test_sightings_of_a_file_are_declared_however_sure_they_are() -> None:
    one = Sighting(Subject(Kind.AGENT, "a"), "otlp", "span", 1, 2, SourceConfidence.STATED, None, (), (), 3)
    (found,) = sightings(json.dumps({"sightings": [to_json(one)]}))
    assert (found.confidence, found.source, found.count) == (SourceConfidence.DECLARED, "import:list.csv", 3)
    (entry,) = sightings('{"entries": [{"subject": "agent/a", "links": 1, "traits": [{"key": "k", "value": "v"}, 2]}]}')
    assert entry.traits == (Trait("k", "v"),)
