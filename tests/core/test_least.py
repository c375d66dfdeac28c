"""The narrowest policies that permit what was used, and every permit taken from one agent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from remit.discover.least import RESOURCES_MAX, PolicyVocabulary, UsedAction, least, narrowed
from remit.discover.permit_conditions import Carried, PermittedUsage, carried_by, clauses_of, ways
from remit.discover.usage import CALLS_EACH_MIN, USERS_MAX, VALUES_MAX, ComparableArgument, Scalar, Usage
from remit.facts.action import ActionKind
from remit.facts.agent import Agent, User
from remit.facts.catalog import Catalog, Http, PolicySource, Server
from remit.facts.tool import Definition, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle

READ = UsedAction(ActionKind.CALL_TOOL, "notes", "read")
SEND = UsedAction(ActionKind.CALL_TOOL, "mail", "send")
COUNTS = Counter(
    {
        READ: 3,
        SEND: 1,
        UsedAction(ActionKind.CALL_TOOL, "mail", "gone"): 1,
        UsedAction(ActionKind.READ_RESOURCE, "notes", 'file:///"x"'): 2,
        UsedAction(ActionKind.READ_RESOURCE, "notes", "file:///y"): 1,
        UsedAction(ActionKind.GET_PROMPT, "notes", "p"): 1,
        UsedAction(ActionKind.DELEGATE, "", "sub"): 1,
        UsedAction(ActionKind.LIST_ROOTS, "notes", ""): 1,
    }
)
NAMED = PolicyVocabulary({"notes/read": {}, "mail/send": {}})


def did(calls: int, *users: str | None, **values: Sequence[Scalar | None]) -> Usage:
    """`calls` calls for `users` in turn, with these `values` in turn; an empty one is an argument not given."""
    used = Usage()
    for number in range(calls):
        given = {name: some[number % len(some)] for name, some in values.items()}
        used.add((users or (None,))[number % max(1, len(users))], {k: v for k, v in given.items() if v != ""})
    return used


def one_way(used: Mapping[UsedAction, Usage]) -> Mapping[UsedAction, Sequence[PermittedUsage]]:
    return {use: (PermittedUsage(one),) for use, one in used.items()}


USED = one_way({use: did(calls) for use, calls in COUNTS.items()})
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
    assert found.missing == ("mail/gone",)
    assert 'principal == Remit::Agent::"bot"' in found.text
    assert '@reason("used 3 times since 2026-11-01")' in found.text
    assert found.text.count("permit (") == 5
    for words in ("principal,", "action,", "principal in", "mail___gone", "list_roots"):
        assert words not in found.text
    compiled = compile_bundle(catalog(PolicySource("least.cedar", found.text)))
    assert isinstance(compiled.result, Bundle), compiled.result


def test_many_resources_of_a_server_are_named_by_it_and_models_by_name() -> None:
    many = {UsedAction(ActionKind.READ_RESOURCE, "notes", f"file:///{n}"): did(1) for n in range(RESOURCES_MAX + 1)}
    assert 'resource in Remit::Server::"notes"' in least("bot", one_way(many), [], PolicyVocabulary({}), "x").text
    model = {UsedAction(ActionKind.CALL_MODEL, "", "m1"): did(1)}
    assert 'when { resource == Remit::Model::"m1" }' in least("bot", one_way(model), [], PolicyVocabulary({}), "x").text
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
    "path": ComparableArgument(str, required=True),
    "deep": ComparableArgument(bool, required=False),
    "count": ComparableArgument(int, required=False),
    "mode": ComparableArgument(str, required=False),
}


def test_for_whom_an_agent_acted_is_part_of_what_it_needs() -> None:
    ann = 'context.onBehalfOf == Remit::User::"ann"'
    assert did(2).conditions({}, USERS) == ("unless { context has onBehalfOf }",)
    assert did(2, "ann").conditions({}, USERS) == (f"when {{ context has onBehalfOf && ({ann}) }}",)
    bea = 'context.onBehalfOf == Remit::User::"b\\"ea"'
    assert did(2, 'b"ea', "ann").conditions({}, USERS) == (f"when {{ context has onBehalfOf && ({ann} || {bea}) }}",)
    assert did(2, None, "ann").conditions({}, USERS) == (f"when {{ if context has onBehalfOf then {ann} else true }}",)
    assert did(2, "ann", "gone").conditions({}, USERS) == did(2, "ann").conditions({}, USERS)
    assert did(2, "gone").conditions({}, USERS) == did(2).conditions({}, USERS)
    assert Usage(2).conditions({}, USERS) == (), "told of, and not for whom"
    many = [f"u{number}" for number in range(USERS_MAX + 1)]
    assert did(len(many) + 5, *many).conditions({}, USERS) == ()
    assert did(len(many), *many[1:]).conditions({}, USERS) != ()


def kept(calls: int, **values: Sequence[Scalar | None]) -> str:
    return "".join(did(calls, **values).conditions(ARGUMENTS, USERS)[1:])


def test_arguments_are_held_to_the_values_that_many_calls_had() -> None:
    a = 'context.input["path"] == "a"'
    assert kept(CALLS_EACH_MIN, path=["a"]) == f"when {{ {a} }}"
    assert kept(CALLS_EACH_MIN - 1, path=["a"]) == ""
    b = 'context.input["path"] == "b"'
    assert kept(2 * CALLS_EACH_MIN, path=["b", "a"]) == f"when {{ {a} || {b} }}"
    assert kept(2 * CALLS_EACH_MIN - 1, path=["b", "a"]) == ""
    deep = 'context.input["deep"] == false'
    assert kept(8, deep=[False]) == f'when {{ context.input has "deep" && ({deep}) }}'
    assert kept(8, deep=[False, ""]) == f'when {{ if context.input has "deep" then {deep} else true }}'
    assert kept(8, count=[-3]) == 'when { context.input has "count" && (context.input["count"] == -3) }'


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
        UsedAction(ActionKind.CALL_TOOL, "notes", "list"): did(1),
    }
    tools = {"notes/read": ARGUMENTS, "mail/send": {}, "notes/list": {}}
    found = least("bot", one_way(used), [], PolicyVocabulary(tools, ["ann"]), "x")
    assert '@id("bot-uses-notes-call_tool")' in found.text
    assert '@id("bot-uses-notes-call_tool-2")' in found.text
    before = catalog(PolicySource("least.cedar", found.text))
    with_types = {**before.tools, ("notes", "read"): typed, ("notes", "list"): tool("notes", "list")}
    users = {"ann": User("ann")}
    compiled = compile_bundle(replace(before, tools=with_types, users=users))
    assert isinstance(compiled.result, Bundle), compiled.result


ACT = "permit (principal, action, resource)"
TEXT = """\
@id("may") @reason("as permit (it) says {")
permit (principal, action, resource)
// only when { true }
when { context.input.q like "*}*" && ["a", "b"].contains("a") } // not ;
unless { { a: context has x }.a };
"""


def test_the_conditions_of_a_permit_are_found_as_they_stand() -> None:
    assert clauses_of(TEXT) == (
        'when { context.input.q like "*}*" && ["a", "b"].contains("a") }',
        "unless { { a: context has x }.a }",
    )
    assert clauses_of(f"{ACT};") is None
    assert clauses_of(f"{ACT} when {{") is None, "it is no policy, and nothing is made of it"
    assert clauses_of("permit (principal") is None
    assert clauses_of("forbid (principal, action, resource) when { true };") is None


def let(ident: str, *clauses: str, owes: str | None = None) -> Carried:
    return Carried(ident, f"p.cedar:{len(ident)}", clauses, owes)


FREE, IF_A, IF_B, OWES = let("free"), let("a", "when { a }"), let("b", "when { b }"), let("o", owes="redact:pii")
INSIDE = {one.ident: one for one in (FREE, IF_A, IF_B, OWES)}


def told(inside: Mapping[str, Carried], *named: str) -> list[tuple[list[str], int]]:
    """By each set of permits named as letters, how often it was done: once, twice, four times and so on."""
    by = {frozenset(one.split()): did(2**index) for index, one in enumerate(named)}
    return [([one.ident for one in way.carried], way.usage.calls) for way in ways(by, inside)]


def test_what_was_done_keeps_what_the_permits_that_let_it_ask_for() -> None:
    assert told(INSIDE, "a") == [(["a"], 1)]
    assert told(INSIDE, "a", "b") == [(["a"], 1), (["b"], 2)]
    assert told(INSIDE, "a", "a b") == [(["a"], 3)], "what needed less is enough for all"
    assert told(INSIDE, "a", "free a", "free") == [([], 7)]
    assert told(INSIDE, "free", "free o") == [([], 1), (["o"], 2)], "an obligation is owed where it was"
    assert told(INSIDE, "o", "a o") == [(["o"], 3)]


def test_what_nobody_knows_the_permit_of_is_no_wider_than_what_is_known() -> None:
    assert told(INSIDE, "gone", "a") == [(["a"], 3)]
    assert told({}, "gone") == [([], 1)], "nothing lets it today"
    assert told({"a": IF_A, "free": FREE}, "") == [([], 1)]
    assert told({"a": IF_A}, "") == [(["a"], 1)]
    [way] = ways({frozenset(): did(1)}, {"a": IF_A, "b": IF_B})
    assert (way.carried, way.lost) == ((), (IF_A, IF_B)), "which of them cannot be told, and is said"
    odd = Carried("odd", "p.cedar:9", None)
    [way] = ways({frozenset({"odd"}): did(1)}, {"odd": odd})
    assert (way.carried, way.lost) == ((), (odd,))


def test_calls_of_one_thing_join() -> None:
    one, other = did(4, "ann", path=["a"]), did(4, "bob", path=["b"], deep=[None])
    one.join(other)
    assert one.conditions(ARGUMENTS, ["ann", "bob"]) == did(8, "ann", "bob", path=["a", "b"]).conditions(
        ARGUMENTS, ["ann", "bob"]
    )
    many = did(40, path=[str(number) for number in range(VALUES_MAX)])
    many.join(did(40, path=["other"]))
    assert many.conditions(ARGUMENTS, []) == ("unless { context has onBehalfOf }",), "too many values to hold it to"


def test_a_suggestion_has_the_conditions_and_obligations_of_what_let_it() -> None:
    wide = PolicySource(
        "a.cedar", f'@id("wide")\n@obligation("redact:pii")\n{ACT}\nunless {{ context has onBehalfOf }};'
    )
    bundle = compile_bundle(catalog(wide)).result
    assert isinstance(bundle, Bundle)
    permit = carried_by(bundle.policies["wide"])
    masks = replace(permit, ident="other", obligation="mask:q")
    made = ways({frozenset({"wide"}): did(3)}, {"wide": permit})
    found = least("bot", {READ: made}, [], NAMED, "x")
    assert found.carried == ("wide (a.cedar:1)",)
    assert '@obligation("redact:pii")' in found.text
    assert "// with what wide (a.cedar:1) asks for" in found.text
    assert found.text.count("unless {") == 1, "what use says already is not said twice"
    assert isinstance(compile_bundle(catalog(PolicySource("least.cedar", found.text))).result, Bundle)
    both = ways({frozenset({"wide", "other"}): did(3)}, {"wide": permit, "other": masks})
    assert least("bot", {READ: both}, [], NAMED, "x").text.count("permit (") == 2, "one for each obligation"
    bare = least("bot", {READ: made}, [], NAMED, "x", ["bot-uses-notes-call_tool"])
    assert (bare.carried, bare.lost) == ((), ("wide (a.cedar:1)",))
    assert bare.text.startswith("// wide (a.cedar:1) permits some of this under conditions")
    assert "@obligation" not in bare.text
