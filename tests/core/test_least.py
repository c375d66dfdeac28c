"""The narrowest policies that permit what was used, and every permit taken from one agent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from remit.discover.least import RESOURCES_MAX, Named, Use, least, narrowed
from remit.discover.used import CALLS_EACH_MIN, USERS_MAX, VALUES_MAX, Argument, Scalar, Used
from remit.facts.action import ActionKind
from remit.facts.agent import Agent, User
from remit.facts.catalog import Catalog, Definition, Http, PolicySource, Server, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle

READ = Use(ActionKind.CALL_TOOL, "notes", "read")
SEND = Use(ActionKind.CALL_TOOL, "mail", "send")
COUNTS = Counter(
    {
        READ: 3,
        SEND: 1,
        Use(ActionKind.CALL_TOOL, "mail", "gone"): 1,
        Use(ActionKind.READ_RESOURCE, "notes", 'file:///"x"'): 2,
        Use(ActionKind.READ_RESOURCE, "notes", "file:///y"): 1,
        Use(ActionKind.GET_PROMPT, "notes", "p"): 1,
        Use(ActionKind.DELEGATE, "", "sub"): 1,
        Use(ActionKind.LIST_ROOTS, "notes", ""): 1,
    }
)
NAMED = Named({"notes/read": {}, "mail/send": {}})


def did(calls: int, *users: str | None, **values: Sequence[Scalar | None]) -> Used:
    """`calls` calls for `users` in turn, with these `values` in turn; an empty one is an argument not given."""
    used = Used()
    for number in range(calls):
        given = {name: some[number % len(some)] for name, some in values.items()}
        used.add((users or (None,))[number % max(1, len(users))], {k: v for k, v in given.items() if v != ""})
    return used


USED = {use: did(calls) for use, calls in COUNTS.items()}
WIDE = """\
// everybody
@id("wide")
permit (principal, action, resource);

@id("never")
forbid (principal, action == Remit::Action::"mail___send", resource);
"""


def tool(server: str, name: str) -> Tool:
    return Tool(server, Definition(name, "", {"type": "object"}, None, {}), "sha256:0")


def catalog(*policies: PolicySource) -> Catalog:
    tools = {(server, name): tool(server, name) for server, name in (("notes", "read"), ("mail", "send"))}
    return Catalog(
        agents={name: Agent(name, "ann", "p") for name in ("bot", "sub")},
        users={},
        groups=frozenset({"everyone"}),
        servers={name: Server(name, Http(f"https://{name}")) for name in ("notes", "mail")},
        tools=tools,
        routes={},
        policies=policies,
    )


def test_what_was_used_is_permitted_one_by_one_and_nothing_else() -> None:
    found = least("bot", USED, ["notes/read", "notes/write"], NAMED, "2026-11-01")
    assert found.unused == ("notes/write",)
    assert found.gone == ("mail/gone",)
    assert 'principal == Remit::Agent::"bot"' in found.text
    assert '@reason("used 3 times since 2026-11-01")' in found.text
    assert found.text.count("permit (") == 5
    for words in ("principal,", "action,", "principal in", "mail___gone", "list_roots"):
        assert words not in found.text
    compiled = compile_bundle(catalog(PolicySource("least.cedar", found.text)))
    assert isinstance(compiled.result, Bundle), compiled.result


def test_many_resources_of_a_server_are_named_by_it_and_models_by_name() -> None:
    many = {Use(ActionKind.READ_RESOURCE, "notes", f"file:///{n}"): did(1) for n in range(RESOURCES_MAX + 1)}
    assert 'resource in Remit::Server::"notes"' in least("bot", many, [], Named({}), "x").text
    model = {Use(ActionKind.CALL_MODEL, "", "m1"): did(1)}
    assert 'when { resource == Remit::Model::"m1" }' in least("bot", model, [], Named({}), "x").text
    assert str(next(iter(model))) == "m1"


def test_every_permit_is_taken_from_one_agent_and_no_forbid_is() -> None:
    own = '@id("own")\npermit (principal == Remit::Agent::"bot", action, resource);\n'
    [made] = narrowed([PolicySource("a.cedar", WIDE + own)], "bot")
    assert '@id("own")' not in made.text
    assert made.text.count('unless { principal == Remit::Agent::"bot" };') == 1
    assert made.text.index("unless") < made.text.index("never")
    assert isinstance(compile_bundle(catalog(made)).result, Bundle)


USERS = ["ann", 'b"ea', *(f"u{number}" for number in range(USERS_MAX + 1))]
ARGUMENTS = {
    "path": Argument(str, required=True),
    "deep": Argument(bool, required=False),
    "count": Argument(int, required=False),
    "mode": Argument(str, required=False),
}


def test_for_whom_an_agent_acted_is_part_of_what_it_needs() -> None:
    ann = 'context.onBehalfOf == Remit::User::"ann"'
    assert did(2).conditions({}, USERS) == "\nunless { context has onBehalfOf }"
    assert did(2, "ann").conditions({}, USERS) == f"\nwhen {{ context has onBehalfOf && ({ann}) }}"
    bea = 'context.onBehalfOf == Remit::User::"b\\"ea"'
    assert did(2, 'b"ea', "ann").conditions({}, USERS) == f"\nwhen {{ context has onBehalfOf && ({ann} || {bea}) }}"
    assert did(2, None, "ann").conditions({}, USERS) == f"\nwhen {{ if context has onBehalfOf then {ann} else true }}"
    assert did(2, "ann", "gone").conditions({}, USERS) == did(2, "ann").conditions({}, USERS)
    assert did(2, "gone").conditions({}, USERS) == did(2).conditions({}, USERS)
    assert Used(2).conditions({}, USERS) == "", "told of, and not for whom"
    many = [f"u{number}" for number in range(USERS_MAX + 1)]
    assert did(len(many) + 5, *many).conditions({}, USERS) == ""
    assert did(len(many), *many[1:]).conditions({}, USERS) != ""


def kept(calls: int, **values: Sequence[Scalar | None]) -> str:
    return did(calls, **values).conditions(ARGUMENTS, USERS).removeprefix("\nunless { context has onBehalfOf }")


def test_arguments_are_held_to_the_values_that_many_calls_had() -> None:
    a = 'context.input["path"] == "a"'
    assert kept(CALLS_EACH_MIN, path=["a"]) == f"\nwhen {{ {a} }}"
    assert kept(CALLS_EACH_MIN - 1, path=["a"]) == ""
    b = 'context.input["path"] == "b"'
    assert kept(2 * CALLS_EACH_MIN, path=["b", "a"]) == f"\nwhen {{ {a} || {b} }}"
    assert kept(2 * CALLS_EACH_MIN - 1, path=["b", "a"]) == ""
    deep = 'context.input["deep"] == false'
    assert kept(8, deep=[False]) == f'\nwhen {{ context.input has "deep" && ({deep}) }}'
    assert kept(8, deep=[False, ""]) == f'\nwhen {{ if context.input has "deep" then {deep} else true }}'
    assert kept(8, count=[-3]) == '\nwhen { context.input has "count" && (context.input["count"] == -3) }'


def test_values_that_say_nothing_hold_no_argument() -> None:
    many = [f"f{number}" for number in range(VALUES_MAX + 1)]
    assert kept(CALLS_EACH_MIN * len(many), path=many) == ""
    assert kept(CALLS_EACH_MIN * VALUES_MAX, path=many[1:]) != ""
    for odd in (None, "x" * 201, "a\nb", "\u202e"):
        assert kept(40, path=["a", odd]) == "", odd
    assert kept(40, path=[7]) == "", "its type is another one today"
    assert kept(40, count=[True]) == ""
    assert kept(40, other=["x"]) == "", "no policy can name it"


def test_what_is_held_validates_and_each_policy_has_an_id_of_its_own() -> None:
    schema = {
        "type": "object",
        "properties": {"path": {"type": "string"}, "deep": {"type": "boolean"}, "mode": {"enum": ["r", "w"]}},
        "required": ["path"],
        "additionalProperties": False,
    }
    typed = tool("notes", "read")
    typed = replace(typed, definition=replace(typed.definition, input_schema=schema))
    used = {
        READ: did(8, "ann", path=['"a\\'], deep=[True, ""], mode=["r"]),
        SEND: did(1),
        Use(ActionKind.CALL_TOOL, "notes", "list"): did(1),
    }
    tools = {"notes/read": ARGUMENTS, "mail/send": {}, "notes/list": {}}
    found = least("bot", used, [], Named(tools, ["ann"]), "x")
    assert '@id("bot-uses-notes-call_tool")' in found.text
    assert '@id("bot-uses-notes-call_tool-2")' in found.text
    before = catalog(PolicySource("least.cedar", found.text))
    with_types = {**before.tools, ("notes", "read"): typed, ("notes", "list"): tool("notes", "list")}
    users = {"ann": User("ann")}
    compiled = compile_bundle(replace(before, tools=with_types, users=users))
    assert isinstance(compiled.result, Bundle), compiled.result
