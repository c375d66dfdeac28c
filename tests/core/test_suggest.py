"""What `remit tools suggest` proposes: by words, with reasons, the worst case where unsure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.workspace.documents import documents as yaml_documents
from remit.control.suggest import SuggestedSpec, propose, spoken
from remit.control.suggest_text import intended, text_of
from remit.facts.canonical import Json
from remit.facts.tool import Definition
from tests.core.declaring import definitions

TEXT: dict[str, Json] = {"type": "string"}


def tool(
    name: str, description: str = "", /, *, annotations: Mapping[str, Json] | None = None, **arguments: Json
) -> Definition:
    return Definition(name, description, {"type": "object", "properties": arguments}, None, annotations or {})


def one(definition: Definition, *others: Definition) -> SuggestedSpec:
    (found,) = (made for made in propose("s", (definition, *others)) if made.name == f"s/{definition.name}")
    return found


@pytest.mark.parametrize(
    ("name", "words"),
    [("send_money", ["send", "money"]), ("sendHTTPMoney2", ["send", "http", "money", "2"]), ("", []), ("__", [])],
)
def test_names_are_read_as_words(name: str, words: list[str]) -> None:
    assert list(spoken(name)) == words


@pytest.mark.parametrize(
    ("definition", "effect", "because"),
    [
        (tool("get_emails"), "read", "'get'"),
        (tool("get_and_delete"), "irreversible", "'delete'"),
        (tool("list_and_send"), "irreversible", "'send'"),
        (tool("read_then_write"), "write", "'write'"),
        (tool("update_entry"), "write", "'update'"),
        (tool("channel_history_search"), "read", "'search'"),
        (tool("frobnicate"), "irreversible", "nothing says otherwise"),
        (tool(""), "irreversible", "nothing says otherwise"),
        (tool("frobnicate", annotations={"readOnlyHint": True}), "read", "claims readOnlyHint"),
        (tool("frobnicate", annotations={"destructiveHint": False}), "write", "claims destructiveHint: false"),
        (tool("get_it", annotations={"destructiveHint": True}), "irreversible", "claims destructiveHint: true"),
        (tool("send_it", annotations={"readOnlyHint": True}), "irreversible", "'send'"),
        (tool("search_replace"), "write", "'replace'"),
        (tool("readWrite"), "write", "'write'"),
        (tool("query_execute"), "irreversible", "'execute'"),
        (tool("view_edit", annotations={"readOnlyHint": True}), "write", "'edit'"),
        (tool("open_issue"), "write", "'open'"),
        (tool("open_pull_request", annotations={"readOnlyHint": True}), "write", "'open'"),
        (tool("open_file"), "read", "'open'"),
        (tool("open_nodes"), "read", "'open'"),
        (tool("open"), "read", "'open'"),
        (tool("list_files", annotations={"readOnlyHint": False}), "write", "claims readOnlyHint: false"),
        (tool("get_posts"), "read", "'get'"),
        (tool("check_order_status"), "read", "'check'"),
        (tool("check_out_book"), "write", "'check out'"),
        (tool("load_funds"), "irreversible", "'load'"),
        (tool("load_file"), "read", "'load'"),
        (tool("approve_it", annotations={"readOnlyHint": True}), "irreversible", "'approve'"),
        (tool("approve_it", annotations={"destructiveHint": False}), "write", "'approve'"),
        (tool("get_rows", savePath=TEXT, annotations={"readOnlyHint": True}), "write", "argument savePath"),
        (tool("list_add_item"), "write", "'add'"),
        (tool("find_send"), "irreversible", "'send'"),
        (tool("query", sql=TEXT), "irreversible", "argument sql says what it does"),
        (tool("view", bashCommand=TEXT), "irreversible", "argument bashCommand says what it does"),
        (tool("query", sql=TEXT, annotations={"readOnlyHint": True}), "read", "'query'"),
    ],
)
def test_effect_goes_by_the_strongest_verb_before_any_claim(definition: Definition, effect: str, because: str) -> None:
    found = one(definition)
    assert found.spec["effect"] == effect
    assert because in found.because["effect"]


@pytest.mark.parametrize(
    ("definition", "sink", "because"),
    [
        (tool("get_entries", date=TEXT), "internal", "nothing says that it reaches outside"),
        (tool("get_page", url=TEXT), "external", "argument url"),
        (tool("fetch_rates"), "external", "'fetch'"),
        (tool("lookup", host=TEXT), "external", "argument host"),
        (tool("check_dns", name=TEXT), "external", "'dns'"),
        (tool("tavily_search", "Results from all over the internet.", query=TEXT), "external", "'internet'"),
        (tool("get_entries", annotations={"openWorldHint": True}), "external", "claims openWorldHint"),
        (tool("google_search", query=TEXT), "external", "nothing says that what it looks through is kept here"),
        (tool("google_search", query=TEXT, annotations={"openWorldHint": False}), "internal", "it reads"),
        (tool("search_invoices", query=TEXT), "internal", "it reads"),
        (tool("frobnicate", question=TEXT, annotations={"readOnlyHint": True}), "external", "'question'"),
        (tool("frobnicate", day=TEXT, annotations={"readOnlyHint": True}), "internal", "it reads"),
        (tool("get_texts", urls=TEXT), "external", "argument urls"),
        (tool("save_file", owner=TEXT, repo=TEXT), "external", "a place that others may see"),
        (tool("update_entry", annotations={"openWorldHint": False}), "internal", "claims openWorldHint"),
        (tool("send_entry", annotations={"openWorldHint": False}), "external", "'send'"),
        (tool("create_file", name=TEXT), "internal", "stays in a file"),
        (tool("save_file", participants=TEXT), "external", "names somebody"),
        (tool("update_entry"), "external", "nothing says"),
    ],
)
def test_what_a_tool_is_given_goes_outside_unless_something_says_otherwise(
    definition: Definition, sink: str, because: str
) -> None:
    found = one(definition)
    assert found.spec["sink"] == sink
    assert because in found.because["sink"]


@pytest.mark.parametrize(
    ("definition", "source"),
    [
        (tool("get_entries"), ["untrusted"]),
        (tool("get_webpage"), ["untrusted:web"]),
        (tool("get_current_day"), []),
        (tool("get_user", "Name and passport of the user."), ["untrusted", "confidential:pii"]),
        (tool("update_passport"), ["untrusted"]),
    ],
)
def test_results_are_strangers_words_unless_something_says_otherwise(definition: Definition, source: list[str]) -> None:
    assert one(definition).spec["source"] == source


ENUM: Json = {"type": "object", "properties": {}, "$defs": {}}


@pytest.mark.parametrize(
    ("argument", "schema", "role"),
    [
        ("password", TEXT, "credential"),
        ("api_token", TEXT, "credential"),
        ("recurring", {"type": "boolean"}, "content"),
        ("mode", {"enum": ["a", "b"]}, "content"),
        ("kind", {"$ref": "#/$defs/Kind"}, "content"),
        ("kind", {"allOf": [{"$ref": "#/$defs/Kind"}]}, "content"),
        ("lost", {"$ref": "#/$defs/Nothing"}, None),
        ("circle", {"$ref": "#/$defs/Circle"}, None),
        ("user_id", {"type": "integer"}, "target"),
        ("recipients", {"anyOf": [{"type": "array"}, {"type": "null"}]}, "target"),
        ("body", TEXT, "content"),
        ("speed", {"type": ["number", "null"]}, "content"),
        ("due", {"type": "string", "format": "date"}, "content"),
        ("email_kind", TEXT, "target"),
        ("account_number", TEXT, "target"),
        ("to_number", {"type": "number"}, "target"),
        ("recipient_details", TEXT, "target"),
        ("number", TEXT, "content"),
        ("page_number", TEXT, "content"),
        ("street", TEXT, None),
        ("odd", {"oneOf": [True]}, None),
        ("odder", False, None),
    ],
)
def test_roles_of_arguments(argument: str, schema: Json, role: str | None) -> None:
    defs: Json = {"Kind": {"enum": ["a"]}, "Circle": {"$ref": "#/$defs/Circle"}}
    inputs: dict[str, Json] = {"type": "object", "properties": {argument: schema}, "$defs": defs}
    found = one(Definition("send_it", "", inputs, None, {}))
    assert found.spec.get("arguments") == (None if role is None else {argument: {"role": role}})
    assert (f"arguments.{argument}" in found.because) is (role is not None)


def test_arguments_of_what_only_reads_say_what_is_asked_for() -> None:
    assert one(tool("get_entries", channel=TEXT)).spec["arguments"] == {"channel": {"role": "key"}}
    assert one(Definition("get_it", "", {"properties": 1}, None, {})).spec.get("arguments") is None


@pytest.mark.parametrize(
    ("definition", "said", "unsaid"),
    [
        (tool("send_money"), {"pay", "refund", "send"}, {"write"}),
        (tool("transfer_it", "Moves funds."), {"pay", "transfer"}, {"write"}),
        (tool("send_email"), {"email", "mail", "send"}, {"pay"}),
        (tool("send_message"), {"send", "share", "message them"}, {"pay", "message"}),
        (tool("send_parcel"), {"send"}, {"pay", "share"}),
        (tool("create_calendar_event"), {"calendar", "event", "reminder"}, {"create", "make"}),
        (tool("create_all_widgets"), {"widget"}, {"create", "all"}),
        (tool("create_entities"), {"entity"}, {"entitie", "entities"}),
        (tool("create_ties"), {"tie"}, {"ty"}),
        (tool("frobnicate"), set[str](), set[str]()),
    ],
)
def test_the_words_that_ask_for_a_tool(definition: Definition, said: set[str], unsaid: set[str]) -> None:
    asked = one(definition).spec.get("asks", [])
    assert isinstance(asked, list)
    assert said <= set(asked)
    assert not unsaid & set(asked)
    assert asked == sorted(set(map(str, asked)))


def test_a_directory_is_what_lists_what_an_organisation_knows() -> None:
    found = one(tool("get_all_users_in_channel", channel=TEXT))
    assert found.spec["results"] == [{"path": "$[*]", "label": "untrusted", "directory": True}]
    assert found.spec["format"] == "yaml"
    assert "results" not in one(tool("get_reviews_of_users")).spec


def test_ids_are_the_servers_own_where_a_tool_with_an_effect_takes_one() -> None:
    update = tool("update_order", id=TEXT)
    found = one(tool("get_orders"), update, tool("drop_table", name=TEXT))
    assert [part["path"] for part in rows(found)] == ["$.id", "$.id_", "$[*].id", "$[*].id_"]
    assert "update_order takes one" in found.because["results.0"]
    assert "results" not in one(tool("get_orders"), tool("update_address", id=TEXT)).spec
    declared = Definition("get_orders", "", {}, {"type": "object"}, {})
    assert "format" not in one(declared, update).spec


def test_what_is_kept_is_named_by_what_creates_it() -> None:
    create, change = tool("create_file", body=TEXT, filename=TEXT), tool("append_file", file_id=TEXT)
    found = one(tool("search_files"), create, change)
    assert {"path": "$[*].filename", "label": "trusted", "identity": True} in rows(found)
    assert {"path": "$.filename", "label": "trusted", "identity": True} in rows(one(create, change))
    assert all("identity" not in part for part in rows(one(tool("search_files"), tool("create_file"), change)))


def test_no_path_is_proposed_that_leads_nowhere_in_what_the_tool_declares() -> None:
    def declared(name: str, /, **members: Json) -> Definition:
        return Definition(name, "", {"properties": {"name": TEXT}}, {"type": "object", "properties": members}, {})

    create, change = declared("create_file", result=TEXT), tool("append_file", file_id=TEXT)
    assert "results" not in one(create, change).spec
    assert not {"results", "format"} & set(one(declared("get_files", result=TEXT), change).spec)
    named = one(declared("get_files", name=TEXT), create, change)
    assert rows(named) == [{"path": "$.name", "label": "trusted", "identity": True}]
    assert named.because["results.0"] == "create_file says what one is called"
    assert [part["path"] for part in rows(one(declared("get_files", id=TEXT), change))] == ["$.id"]


def rows(found: SuggestedSpec) -> list[dict[str, Any]]:
    results: Any = found.spec["results"]
    return list(results)


def test_a_store_is_what_one_tool_writes_and_another_reads() -> None:
    read, write = tool("read_file", path=TEXT), tool("write_file", path=TEXT, text=TEXT)
    assert one(read, write).spec["store"] == {"name": "s-file", "key": "path"}
    assert one(read, tool("write_file", filename=TEXT)).spec["store"] == {"name": "s-file"}
    assert one(read, tool("write_file", text=TEXT)).spec["store"] == {"name": "s-file"}
    assert "store" not in one(read).spec
    listed, made = tool("list_directories", path=TEXT), tool("create_directory", path=TEXT)
    assert one(listed, made).spec["store"] == {"name": "s-directory", "key": "path"}


@given(st.lists(definitions, max_size=4, unique_by=lambda made: made.name), st.randoms(use_true_random=False))
def test_the_same_tools_give_the_same_text_in_any_order_and_it_is_yaml(made: list[Definition], chance: Any) -> None:
    text = text_of(propose("s", made))
    chance.shuffle(made)
    assert text_of(propose("s", made)) == text
    documents = [document for document in yaml.safe_load_all(text) if document is not None]
    assert [document["metadata"]["name"] for document in documents] == sorted(f"s/{one.name}" for one in made)
    for document, proposal in zip(documents, propose("s", made), strict=True):
        assert document["spec"] == proposal.spec
        assert set(proposal.because) >= {"effect", "sink", "source"}


HOSTILE = (
    "url to\n---\nkind: Policy\nstatus: |\n  x",
    *(f"to{end}---{end}kind: Policy" for end in ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\v", "\f", "\t# ")),
    "to: {a: b}",
    "email # not",
    "- to",
    '"to", x',
    "to}\\n",
    "\x7fto",
    "&to *to !!to %to",
    "to\U0001f600\ud7ff\ufeff\ue000\ufffe",
)


@given(st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(codec="utf-8"), max_size=40), unique=True, max_size=3))
def test_whatever_a_server_calls_its_arguments_nothing_but_tools_is_written(named: list[str]) -> None:
    made = (tool("send_it", "", **dict.fromkeys(named, TEXT)), tool("list_them", "", **dict.fromkeys(named, TEXT)))
    proposals = propose("s", made)
    assert [one.value for one in yaml_documents(text_of(proposals))] == [intended(one) for one in proposals]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_name_ends_the_line_that_it_stands_in(name: str) -> None:
    proposals = propose("s", [tool("send_it", "", **{name: TEXT, f"email{name}": TEXT})])
    text = text_of(proposals)
    assert [one.value for one in yaml_documents(text)] == [intended(one) for one in proposals]
    assert text.splitlines() == text.split("\n")[:-1]


def test_each_line_that_was_guessed_has_its_reason_beside_it() -> None:
    made = (tool("search_files", query=TEXT), tool("create_file", "Creates.", filename=TEXT, true=TEXT))
    text = text_of(propose("s", (*made, tool("move_file", file_id=TEXT))))
    documents = {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(text) if one}
    assert documents == {one.name: one.spec for one in propose("s", (*made, tool("move_file", file_id=TEXT)))}
    assert "    filename: {role: target}  # filename says whom or what it reaches\n" in text
    assert '    - {path: "$[*].filename", label: trusted, identity: true}\n' in text
    assert "  effect: read  # its name says 'search'\n" in text


@pytest.mark.parametrize(
    ("definition", "impact"),
    [
        (
            tool("send_money", recipient=TEXT, amount={"type": "number"}),
            {"amount": {"path": "$.amount"}, "recipients": {"path": "$.recipient"}},
        ),
        (tool("send_mail", cc=TEXT, to=TEXT, recipients={"type": "array"}), {"recipients": {"path": "$.recipients"}}),
        (tool("delete_rows", ids={"type": "array"}), {"records": {"path": "$.ids"}}),
        (tool("pay_bill", **{"total sum": {"type": "integer"}}), {"amount": {"path": "$['total sum']"}}),
        (tool("pay_bill", **{"it's a sum": {"type": "integer"}}), None),
        (tool("pay_bill", amount=TEXT, to={"type": "integer"}), None),
        (tool("get_payments", amount={"type": "number"}), None),
    ],
    ids=range(7),
)
def test_how_much_a_call_moves_is_read_from_names_and_kinds(definition: Definition, impact: Json) -> None:
    proposal = one(definition)
    assert proposal.spec.get("impact") == impact
    text = text_of([proposal])
    (document,) = yaml_documents(text)
    assert document.value == intended(proposal)
    assert {name for name in proposal.because if name.startswith("impact.")} == {
        f"impact.{name}" for name in (impact if isinstance(impact, dict) else ())
    }


def test_tools_of_a_repository_are_asked_for_by_what_they_do_and_not_by_their_server() -> None:
    path: Json = TEXT
    files: Json = {"type": "array", "items": TEXT}
    made = propose(
        "git",
        (
            tool("git_add", repo_path=path, files=files),
            tool("git_checkout", repo_path=path, branch_name=TEXT),
            tool("git_commit", repo_path=path, message=TEXT),
            tool("git_create_branch", repo_path=path, branch_name=TEXT),
        ),
    )
    found: dict[str, Any] = {one.name: one.spec for one in made}
    assert found["git/git_create_branch"]["asks"] == ["branch"], "whoever says git asks for no branch"
    assert {"check out", "checkout", "switch"} <= set(found["git/git_checkout"]["asks"])
    assert {"commit", "record", "save"} <= set(found["git/git_commit"]["asks"])
    assert found["git/git_commit"]["arguments"] == {"repo_path": {"role": "target"}, "message": {"role": "content"}}
    assert found["git/git_add"]["arguments"]["files"] == {"role": "target"}, "several of a target are targets"


def turned(definition: Definition) -> Definition:
    """The same tool, its arguments in the opposite order."""
    given = definition.input_schema.get("properties")
    if not isinstance(given, Mapping):
        return definition
    return replace(definition, input_schema={**definition.input_schema, "properties": dict([*given.items()][::-1])})


@given(st.lists(definitions, max_size=3, unique_by=lambda found: found.name))
def test_no_order_of_arguments_changes_a_proposal(listed: list[Definition]) -> None:
    """A server lists them in its order, `remit.lock` in theirs."""
    writes = tool("write_note", note_id=TEXT, name=TEXT, amount={"type": "number"}, total={"type": "number"})
    tools = [*listed, writes, tool("read_note", note_id=TEXT, name=TEXT), tool("get_site", url=TEXT, host=TEXT)]
    assert text_of(propose("s", tools)) == text_of(propose("s", [turned(found) for found in reversed(tools)]))


class CountedSchema(dict[str, Json]):
    """A schema that counts how often its members are asked for."""

    reads = 0

    def get(self, key: str, default: Any = None, /) -> Any:
        self.reads += 1
        return super().get(key, default)


def reads_each(tools: int) -> float:
    """How often the schema of a tool is read where its server has so many, each with the same things to do."""
    schemas = [CountedSchema({"type": "object", "properties": {"note_id": TEXT, "name": TEXT}}) for _ in range(tools)]
    named = [f"{'read' if at % 2 else 'write'}_note_{at}" for at in range(tools)]
    listed = [Definition(name, "", schema, None, {}) for name, schema in zip(named, schemas, strict=True)]
    assert len(propose("s", listed)) == tools
    return sum(schema.reads for schema in schemas) / tools


def test_the_tools_of_a_server_are_not_read_once_for_each_other() -> None:
    """A server may have a thousand, and a review asks for all of them."""
    assert reads_each(100) == reads_each(10)
