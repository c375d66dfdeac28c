"""The narrowest policies that permit what was used, and every permit taken from one agent."""

from collections import Counter

from remit.discover.least import RESOURCES_MAX, Use, least, narrowed
from remit.facts.action import ActionKind
from remit.facts.agent import Agent
from remit.facts.catalog import Catalog, Definition, Http, PolicySource, Server, Tool
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle

READ = Use(ActionKind.CALL_TOOL, "notes", "read")
SEND = Use(ActionKind.CALL_TOOL, "mail", "send")
USED = Counter(
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
    found = least("bot", USED, ["notes/read", "notes/write"], ["notes/read", "mail/send"], "2026-11-01")
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
    many = Counter({Use(ActionKind.READ_RESOURCE, "notes", f"file:///{n}"): 1 for n in range(RESOURCES_MAX + 1)})
    assert 'resource in Remit::Server::"notes"' in least("bot", many, [], [], "x").text
    model = Counter({Use(ActionKind.CALL_MODEL, "", "m1"): 1})
    assert 'when { resource == Remit::Model::"m1" }' in least("bot", model, [], [], "x").text
    assert str(next(iter(model))) == "m1"


def test_every_permit_is_taken_from_one_agent_and_no_forbid_is() -> None:
    own = '@id("own")\npermit (principal == Remit::Agent::"bot", action, resource);\n'
    [made] = narrowed([PolicySource("a.cedar", WIDE + own)], "bot")
    assert '@id("own")' not in made.text
    assert made.text.count('unless { principal == Remit::Agent::"bot" };') == 1
    assert made.text.index("unless") < made.text.index("never")
    assert isinstance(compile_bundle(catalog(made)).result, Bundle)
