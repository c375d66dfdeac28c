"""Agents, tools, models, prompts and servers are recognised in Python and TypeScript by their trees."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.sources import python_code, typescript_code
from remit.discover.code import ArrayLiteral, CallExpression, Module, Name
from remit.discover.frameworks import framework_of, model_of
from remit.discover.ground import LINKS_MAX
from remit.discover.recognise import components_of


def py(text: str, name: str = "app", local: frozenset[str] = frozenset()) -> set[str]:
    return told(python_code.read(textwrap.dedent(text), name, local))


def ts(text: str, *, tsx: bool = False, local: frozenset[str] = frozenset()) -> set[str]:
    module, line = typescript_code.read(textwrap.dedent(text).encode(), "app", tsx=tsx, local=local)
    assert line == 0
    return told(module)


def told(module: Module) -> set[str]:
    found, _ = components_of(module)
    edges = {f"{one.name} {verb} {kind} {name}" for one in found for verb, kind, name in one.edges}
    return {f"{one.kind} {one.name}" for one in found} | edges


def test_an_agent_has_its_tools_model_prompt_and_framework() -> None:
    text = '''
        """Agent(name="never") in a text is none."""
        import os
        from textwrap import dedent
        from pydantic_ai import Agent, Tool as Made
        from pydantic_ai.mcp import MCPServerStdio, MCPServerHTTP
        from .shared import imported_tool, MORE_TOOLS

        MODEL_NAME = "openai:gpt-5.2"
        SYSTEM_PROMPT = "You are a helpful assistant for a bank, and kind."
        def plain(x): ...
        async def other(x): ...
        git = MCPServerStdio("uvx", args=["mcp-server-git"])
        web = MCPServerHTTP(url="https://mcp.example.com/mcp")
        listed = [plain, imported_tool, Made(other, name="renamed"), git, MORE_TOOLS, undefined_name]
        agent: Agent = Agent(MODEL_NAME, tools=listed, toolsets=[git, web], system_prompt=SYSTEM_PROMPT)
        second = Agent(os.getenv("MODEL", "anthropic:claude-sonnet-4-5"), instructions=dedent("Be brief."))
        third = Agent(model=None or "groq:llama-3.3-70b", name="three", instructions=f"Be {1} kind" + "!")
        fourth = Agent(cfg.model, tools=make_tools(), instructions=compute())

        @agent.tool
        def decorated(ctx): ...
        @agent.tool(name="spelt")
        def not_this(ctx): ...
        @agent.tool_plain()
        def plainly(): ...
        @agent.instructions
        def more_words(): ...
        @agent.output_validator
        def none(): ...
        @unrelated
        def neither(): ...
        @(lambda f: f)
        def nor(): ...
    '''
    assert py(text) == {
        "agent agent",
        "agent second",
        "agent three",
        "agent fourth",
        "agent uses tool plain",
        "agent uses tool imported_tool",
        "agent uses tool renamed",
        "agent uses tool decorated",
        "agent uses tool spelt",
        "agent uses tool plainly",
        "agent uses model gpt-5.2",
        "second uses model claude-sonnet-4-5",
        "three uses model llama-3.3-70b",
        "tool plain",
        "tool imported_tool",
        "tool renamed",
        "tool decorated",
        "tool spelt",
        "tool plainly",
        "model gpt-5.2",
        "model claude-sonnet-4-5",
        "model llama-3.3-70b",
        "prompt SYSTEM_PROMPT",
        "prompt second instructions",
        "prompt three instructions",
        "prompt more_words",
        "server pypi:mcp-server-git",
        "server https://mcp.example.com/mcp",
    }


def test_agents_delegate_and_graphs_compile() -> None:
    text = """
        from agents import Agent, function_tool
        from langgraph.graph import StateGraph
        from langgraph.prebuilt import create_react_agent, ToolNode
        from llama_index.core.workflow import Workflow
        from llama_index.core.agent.workflow import FunctionAgent
        from autogen_agentchat.agents import AssistantAgent
        from somewhere import far_agent
        from .near import near_agent

        @function_tool(name_override="sum")
        def add(): ...
        @function_tool
        def run(): ...
        @function_tool("positional")
        def named(): ...
        billing = Agent(name="Billing")
        table = {"a": billing}
        triage = Agent(name="Triage", tools=[add, run, billing.as_tool()], handoffs=[billing, near_agent, far_agent, 3])
        lead = Agent(name="Lead", handoffs=table)
        inline = Agent(name="Inline", handoffs=[Agent(name="Within")])
        builder = StateGraph(dict)
        builder.add_node("tools", ToolNode([run]))
        graph = builder.compile()
        chained = StateGraph(dict).add_node("x").compile()
        def make():
            return create_react_agent(model, [run], prompt="You are one.")
        class Own(Workflow):
            ...
        class NotOne(dict, metaclass=type):
            ...
        made = FunctionAgent.from_tools(tools=[run])
        helper = AssistantAgent("helper", "more")
        re.compile("x")
        model.bind_tools([add])
    """
    assert py(text) == {
        *(
            f"agent {name}"
            for name in ("Billing", "Triage", "Lead", "Inline", "Within", "graph", "chained", "make", "Own")
        ),
        *("agent made", "agent helper", "tool sum", "tool run", "tool positional"),
        *("Triage uses tool sum", "Triage uses tool run", "Triage delegates agent Billing"),
        *("Triage delegates agent near_agent", "Lead delegates agent Billing", "Inline delegates agent Within"),
        *("made uses tool run", "prompt make prompt"),
    }


def test_servers_tools_and_descriptions_of_tools() -> None:
    text = """
        from enum import Enum
        from mcp.server.fastmcp import FastMCP
        from mcp.types import Tool
        from mcp import StdioServerParameters
        from langchain_mcp_adapters.client import MultiServerMCPClient
        from langchain_core.tools import StructuredTool, tool
        from langchain_core.prompts import ChatPromptTemplate
        from crewai.tools import BaseTool
        from crewai_tools import SerperDevTool
        from crewai import Agent

        class Names(str, Enum):
            STATUS = "git_status"
            COUNT: int = 3
        mcp = FastMCP("notes")
        @mcp.tool()
        def note(): ...
        @mcp.prompt("ask")
        def asking(): ...
        @mcp.prompt
        def plain_prompt(): ...
        @mcp.prompt(name="spelt")
        def other_prompt(): ...
        mcp.add_prompt("added")
        mcp.add_prompt(made)
        mcp.add_tool(function)
        mcp.add_tool(1)
        async def tools():
            return [Tool(name=Names.STATUS, description="x", inputSchema={}), {"name": "raw", "inputSchema": {}}]
        one = StdioServerParameters(command="npx", args=["-y", "@x/y"])
        two = StdioServerParameters(command="python server.py")
        none = StdioServerParameters(command=computed)
        many = MultiServerMCPClient({"a": {"url": "https://a.example/mcp"}, "b": {"command": "uvx b"}, "c": 1})
        functions = [{"type": "function", "function": {"name": "called", "parameters": {}}}]
        claude = [{"name": "messages", "description": "d", "input_schema": {}}, {"name": "nothing"}]
        structured = StructuredTool.from_function(fn)
        renamed = StructuredTool.from_function(func=fn, name="renamed")
        @tool("search-tool")
        def search(): ...
        class Clock(BaseTool):
            name: str = "clock"
        class Timer(BaseTool):
            ...
        class Unrelated(Other): ...
        prompt = ChatPromptTemplate.from_template("Say {x}")
        ChatPromptTemplate.from_template("unnamed")
        who = Agent(role="r", tools=[SerperDevTool(), tool(), lower_call(), [[search]]], backstory="Long ago.")
    """
    assert py(text) == {
        *("server notes", "server npm:@x/y", "server server.py", "server https://a.example/mcp", "server pypi:b"),
        *(
            f"tool {name}"
            for name in ("note", "git_status", "raw", "called", "messages", "fn", "renamed", "search-tool")
        ),
        *("tool clock", "tool Timer", "tool SerperDevTool", "tool function"),
        *(
            "prompt ask",
            "prompt plain_prompt",
            "prompt spelt",
            "prompt added",
            "prompt prompt",
            "prompt who backstory",
        ),
        *("agent who", "who uses tool SerperDevTool", "who uses tool search-tool"),
        *(f"notes uses tool {name}" for name in ("note", "git_status", "raw", "called", "messages", "fn", "renamed")),
        *(f"notes uses tool {name}" for name in ("search-tool", "clock", "Timer", "SerperDevTool", "function")),
    }
    client = "from fastmcp import Client\nfrom mcp_agent.mcp import MCPClient\nc = MCPClient(servers={'a': {'url': 'https://a.example/mcp'}})\n"
    assert py(client) == {"server https://a.example/mcp"}


def test_models_are_names_of_families_where_a_model_stands() -> None:
    text = """
        from langchain_openai import ChatOpenAI
        from agno.models.openai import OpenAIChat
        from dataclasses import dataclass
        import litellm
        chat = ChatOpenAI(model="gpt-4o-mini", temperature=0)
        agno = OpenAIChat(id="gpt-5")
        other = OpenAIChat(id="customer-7")
        litellm.completion(model="anthropic/claude-3-5-sonnet-20241022")
        ChatOpenAI("gpt-4.1")
        print("gpt-4")
        llm_model = ["gpt-3.5-turbo", "not a model", 1]
        MODEL = dict()
        @dataclass
        class Settings:
            model_name: str = "gemini-2.0-flash"
        def ask(model="qwen2.5-72b", *, more=1, llm=None): ...
        x = Agent(model="a sentence about gpt-4")
    """
    models = (
        "gpt-4o-mini",
        "gpt-5",
        "claude-3-5-sonnet-20241022",
        "gpt-4.1",
        "gpt-3.5-turbo",
        "gemini-2.0-flash",
        "qwen2.5-72b",
    )
    assert py(text) == {f"model {name}" for name in models}


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("openai:gpt-4o", "gpt-4o"),
        ("openrouter/anthropic/claude-3", "claude-3"),
        ("ollama:own-thing", "own-thing"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("some/llama-3", "some/llama-3"),
        ("own-thing", ""),
        ("gpt-4 is a model", ""),
        ("gpt-" + "4" * 200, ""),
    ],
)
def test_a_model_is_told_without_its_provider(text: str, model: str) -> None:
    assert model_of(text) == model


@pytest.mark.parametrize(
    ("path", "framework"),
    [
        ("google.adk.agents.Agent", "google-adk"),
        ("google.genai.Client", ""),
        ("@mastra/core/agent.Agent", "mastra"),
        ("@langchain/langgraph.StateGraph().compile", "langgraph"),
        ("@langchain/openai.ChatOpenAI", "langchain"),
        ("ai/rsc.x", "ai-sdk"),
        ("./ai.x", ""),
        ("", ""),
    ],
)
def test_a_framework_is_known_by_what_is_imported(path: str, framework: str) -> None:
    assert framework_of(path) == framework


def test_packages_of_the_repository_itself_are_no_framework() -> None:
    assert (
        py("from agents import Agent\nimport agents.x as y\na = Agent(name='x')", local=frozenset({"agents"})) == set()
    )
    assert ts("import {Agent} from 'ai/x';\nnew Agent({name: 'x'})", local=frozenset({"ai"})) == set()


def test_a_name_that_comes_from_elsewhere_is_no_frameworks() -> None:
    text = """
        from elsewhere import tool, Agent, model
        from pydantic_ai.mcp import MCPServerStdio
        @tool
        def x(): ...
        a = Agent(name="x", tools=[x], model=unknown(other="gpt-4"))
        MCPServerStdio(command=computed)
        model(llm="own-model")
        from agno.models.openai import OpenAIChat
        OpenAIChat(id="ollama:own-thing")
        def look(): ...
    """
    assert py(text) == set()


def test_which_of_two_servers_of_a_file_has_a_tool_is_not_guessed() -> None:
    text = "from fastmcp import FastMCP\na = FastMCP('a')\nb = FastMCP('b')\n@a.tool\ndef x(): ..."
    assert py(text) == {"server a", "server b", "tool x"}


def test_what_is_wrapped_listed_or_defaulted_is_found_under_its_name() -> None:
    text = """
        import os
        from enum import Enum
        from strands import Agent
        from langchain_community.tools import Search
        class Names(Enum):
            ONE = "one"
        class Flow:
            _default_prompt = "You are a helpful assistant for a bank."
        wrapped = traced(Agent(tools=[]))
        TOOLS = [Search(), unknown]
        other_tools = "none"
        models: list = [("openai:gpt-5", "KEY"), ("own", 1)]
        config = {"model_id": os.getenv("M", "claude-sonnet-4-5"), "modelling": "gpt-4"}
        WATCH_PROMPT = os.environ.get("W", "Say what has changed since you last looked.")
        MORE_PROMPT = os.environ.get("W")
        def f():
            late_prompt = ""
            late_prompt = "You are a helpful assistant for a bank."
        spec = {"name": "described", "description": "d", "inputSchema": {}}
        by = Agent.from_anything(tools_or_functions=[Search()], name=Names.ONE.value)
    """
    assert py(text) == {
        *("agent wrapped", "agent one", "one uses tool Search", "tool Search", "tool described"),
        *(
            "model gpt-5",
            "model claude-sonnet-4-5",
            "prompt _default_prompt",
            "prompt WATCH_PROMPT",
            "prompt late_prompt",
        ),
    }
    script = "import {createWorkflow} from '@llamaindex/workflow';\nconst flow = withState(createWorkflow());"
    assert ts(script) == {"agent flow"}
    assert ts(script.replace("const flow =", "export const make = () =>")) == {"agent make"}


def test_prompts_of_a_file_of_prompts_and_no_others() -> None:
    text = """
        SYSTEM_PROMPT = 'You are a helpful assistant for a bank.'
        SHORT_PROMPT = 'no'
        OTHER = 'You are a helpful assistant for a bank.'
    """
    assert py(text, "prompts") == {"prompt SYSTEM_PROMPT"}
    assert py(text, "app") == set()
    used = """
        from crewai import Agent
        from .prompts import SYSTEM_PROMPT, words
        a = Agent(system_prompt=SYSTEM_PROMPT)
        b = Agent(prompt=words)
    """
    assert py(used) == {"agent a", "agent b", "prompt SYSTEM_PROMPT"}


def test_code_of_every_kind_is_read_for_calls() -> None:
    text = """
        from crewai import Agent
        with Agent(name="with") as w, open("x"):
            try:
                x = [Agent(name="comp") for y in [Agent(name="iter")] if Agent(name="if")]
            except ValueError:
                Agent(name="except")
            else:
                pass
            finally:
                return_ = lambda: Agent(name="lambda")
        match x:
            case 1:
                Agent(name="case")
        async def f():
            for y in z:
                await Agent(name="await").run(*[Agent(name="starred")])
            self.agent = Agent[int, str](role="bound")
            return {"key": Agent(), **{"a": f"{Agent(name='format')}"}}
        first, second = Agent(name="tuple"), 1
        (lambda: 1)().x()
        a[0].method()
    """
    names = (
        "with",
        "comp",
        "iter",
        "if",
        "except",
        "lambda",
        "case",
        "await",
        "starred",
        "agent",
        "key",
        "format",
        "tuple",
    )
    assert py(text) == {f"agent {name}" for name in names}


@pytest.mark.parametrize(
    ("text", "line"),
    [("a =\n", 1), ("x\0y", 0), ("(" * 5_000, 1), ("a" + "+1" * 200_000, 0)],
)
def test_what_is_no_python_is_refused(text: str, line: int) -> None:
    with pytest.raises(python_code.NoPython) as refused:
        python_code.read(text, "x")
    assert refused.value.line == line


def test_what_is_as_deep_as_some_pythons_parse_is_read_or_refused() -> None:
    text = 'a = Agent(name="ann")\nb = a' + "[0]" * 50_000
    try:
        found, line = python_code.read(text, "x").bound["a"], None
    except python_code.NoPython as refused:
        found, line = None, refused.line
    assert (found, line) in [(python_code.read('a = Agent(name="ann")', "x").bound["a"], None), (None, 0)]


def test_typescript_is_read_alike() -> None:
    text = """
        import { Agent } from "@mastra/core/agent";
        import { createTool as make } from "@mastra/core/tools";
        import { openai } from "@ai-sdk/openai";
        import * as lc from "@langchain/core/tools";
        import def, { StateGraph } from "@langchain/langgraph";
        import type { X } from "./x";
        import "./side-effect";
        const { ToolNode } = require("@langchain/langgraph/prebuilt");
        const path = require("path");
        // new Agent({ name: "comment" })
        export const weather = make({ id: "get-weather", execute: async ({ context }) => { return 1; } });
        const unnamed = make({ description: "x" });
        export const agent = new Agent({
          name: "Weather", instructions: `Be ${kind} and brief`, model: openai("gpt-4o"),
          tools: { weather, other: make({ id: "other" }),
            inline: lc.tool(async () => 1, { name: "ticks" }), fn: (x) => x },
        });
        const plain = lc.tool(async () => 1, { name: "lc" });
        const graph = new StateGraph(S).addNode("tools", new ToolNode([plain])).compile().withConfig({ runName: "x" });
        const builder = new StateGraph(S);
        export const second = builder.compile();
        const MODEL_NAME = process.env.MODEL ?? "claude-sonnet-4-5";
        const both = "You are a helpful assistant " + "for a bank, and kind.", n = 1 + 2;
        export const SYSTEM_PROMPT = both;
        class Own { prompt = "You are a helpful assistant for a bank."; name = "own"; static x;
          run() { return new Agent({ name: "method" as string }); } }
        function f(a = 1) { this.agent = new Agent({ instructions: "hi" });
          other.y = [new Agent({ name: (("paren")!) })]; }
        const cond = flag ? new Agent({ name: "yes" }) : (await go(new Agent({ name: "no" })));
        const esc = new Agent({ name: 'a\\'b' });
        x().y.z(); (a)(); [1][0].q(); this.w(); new (foo())(); f`t`; super_.m?.();
        builder.call(this.thing.deep, -1);
    """
    assert ts(text) == {
        *(f"agent {name}" for name in ("Weather", "graph", "second", "method", "agent", "paren", "yes", "no", "a'b")),
        *(
            "tool get-weather",
            "tool unnamed",
            "tool other",
            "tool ticks",
            "tool lc",
            "model gpt-4o",
            "model claude-sonnet-4-5",
        ),
        *(
            "Weather uses tool get-weather",
            "Weather uses tool other",
            "Weather uses tool ticks",
            "Weather uses tool fn",
        ),
        *("Weather uses model gpt-4o", "tool fn", "prompt Weather instructions", "prompt SYSTEM_PROMPT"),
        *("prompt agent instructions", "prompt prompt"),
    }


def test_servers_in_typescript() -> None:
    text = """
        import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
        import { ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
        import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
        const server = new McpServer({ name: "files", version: "1" });
        server.registerTool("read", { title: "x" }, async () => 1);
        server.tool("write", {}, async () => 1);
        server.registerPrompt("ask", {}, () => 1);
        export function register(s: McpServer) { s.registerTool("elsewhere", {}, async () => 1);
          s.tool("not-known", {}); }
        server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: [{ name: "raw", inputSchema: {} }] }));
        const transport = new StdioClientTransport({ command: "npx", args: ["-y", "@x/y"] });
        const Icon = <div onClick={() => server.registerTool("in-jsx", {}, f)}>{"text"}</div>;
    """
    tools = ("read", "write", "elsewhere", "raw", "in-jsx")
    assert ts(text, tsx=True) == {
        *("server files", "server npm:@x/y", "prompt ask"),
        *(f"tool {name}" for name in tools),
        *(f"files uses tool {name}" for name in tools),
    }


def test_what_is_no_typescript_is_told_and_the_rest_is_read() -> None:
    text = b'import { Agent } from "@mastra/core";\nconst a = new Agent({ name: "a" });\nconst = = ;\nfunction () {}\n'
    module, line = typescript_code.read(text, "x", tsx=False)
    assert line == 3
    assert "agent a" in told(module)
    for hostile in (
        b"(" * 50_000,
        b"{" * 50_000,
        b"x=>" * 20_000,
        b"a." * 50_000,
        b"\xff\0" * 100,
        b"require()",
        b"import x from",
        b"[" * 50_000,
    ):
        try:
            module, line = typescript_code.read(hostile, "x", tsx=True)
        except RecursionError:
            continue
        assert told(module) == set()


def test_lists_of_lists_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = [f"t{level + 1} = [{', '.join([f't{level}'] * 60)}]" for level in range(5)]
    agents = [f"a{number} = Agent(name='a{number}', tools=t5, model=t5, agents=t5)" for number in range(50)]
    module = python_code.read("\n".join(["from crewai import Agent", "t0 = []", *lists, *agents]), "x")
    found, whole = components_of(module)
    assert not whole
    assert [item.name for item in found] == [f"a{number}" for number in range(50)]
    few = python_code.read("from crewai import Agent\na = Agent(tools=[], handoffs=[1], llm='gpt-5')", "x")
    assert components_of(few)[1]


def test_an_agent_with_very_many_tools_is_told_with_some() -> None:
    names = ", ".join(f"crewai_tools.T{number}()" for number in range(500))
    module = python_code.read(f"import crewai_tools\nfrom crewai import Agent\na = Agent(tools=[{names}])", "x")
    agent = next(item for item in components_of(module)[0] if item.name == "a")
    assert len(agent.edges) == LINKS_MAX


WORDS = st.sampled_from(
    [
        "Agent",
        "tool",
        "from_tools",
        "from_defaults",
        "compile",
        "tools",
        "FastMCP",
        "mcp",
        "a",
        "x",
        "get",
        "Tool",
        "self",
    ]
)
TARGETS = st.lists(WORDS, min_size=1, max_size=4).map(".".join)


@given(st.lists(st.tuples(TARGETS, TARGETS, WORDS), max_size=6))
def test_calls_of_every_shape_are_read(calls: list[tuple[str, str, str]]) -> None:
    lines = ["import crewai, mcp, langgraph, llama_index, pydantic_ai", "from crewai import Agent, tool"]
    for target, value, key in calls:
        lines += [
            f"{target} = {value}({target}, {key}={value}().{target}())",
            f"@{target}({value})",
            "def f(a=x.y()): ...",
        ]
        lines += [f"class C({target}, {value}): name = '{key}'"]
    components_of(python_code.read("\n".join(lines), "x"))
    script = [
        f"{value}({target}, {{{key}: new {target}({value})}}).{target}({value} ?? {target});"
        for target, value, key in calls
    ]
    components_of(typescript_code.read("\n".join(script).encode(), "x", tsx=True)[0])


def test_values_that_lead_in_a_circle_end() -> None:
    module = Module("x", {"crewai"}, bound={"a": Name("b"), "b": Name("a")})
    module.calls.append(
        CallExpression("crewai.Agent", named={"name": Name("a"), "tools": Name("a"), "agents": Name("a")}, bound="c")
    )
    assert told(module) == {"agent c"}
    agent = CallExpression(
        "crewai.Agent", named={"model": Name("d"), "tools": Name("l"), "agents": Name("l")}, bound="d"
    )
    module.bound = {"d": agent, "l": ArrayLiteral((Name("l"), Name("d")))}
    module.calls = [agent]
    assert told(module) == {"agent d", "d delegates agent d"}
