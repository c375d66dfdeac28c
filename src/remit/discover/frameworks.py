"""Agent frameworks by the packages they are imported from, and what in each makes an agent, a tool or a server."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PACKAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pydantic_ai": "pydantic-ai",
        "agents": "openai-agents",
        "langgraph": "langgraph",
        "langgraph_supervisor": "langgraph",
        "langgraph_swarm": "langgraph",
        "langchain": "langchain",
        "langchain_core": "langchain",
        "langchain_community": "langchain",
        "langchain_classic": "langchain",
        "langchain_openai": "langchain",
        "langchain_anthropic": "langchain",
        "langchain_google_genai": "langchain",
        "langchain_tavily": "langchain",
        "langchain_mcp_adapters": "langchain",
        "deepagents": "deepagents",
        "crewai": "crewai",
        "crewai_tools": "crewai",
        "smolagents": "smolagents",
        "google.adk": "google-adk",
        "autogen": "autogen",
        "autogen_agentchat": "autogen",
        "autogen_core": "autogen",
        "autogen_ext": "autogen",
        "agno": "agno",
        "strands": "strands",
        "llama_index": "llamaindex",
        "haystack": "haystack",
        "semantic_kernel": "semantic-kernel",
        "agent_framework": "agent-framework",
        "camel": "camel",
        "claude_agent_sdk": "claude-agent-sdk",
        "mcp_agent": "mcp-agent",
        "mcp": "mcp",
        "fastmcp": "mcp",
        "@mastra": "mastra",
        "@openai/agents": "openai-agents",
        "@openai/agents-core": "openai-agents",
        "@langchain/langgraph": "langgraph",
        "@langchain": "langchain",
        "ai": "ai-sdk",
        "@ai-sdk": "ai-sdk",
        "llamaindex": "llamaindex",
        "@llamaindex": "llamaindex",
        "@modelcontextprotocol/sdk": "mcp",
        "@modelcontextprotocol/server": "mcp",
        "@anthropic-ai/claude-agent-sdk": "claude-agent-sdk",
        "@google/adk": "google-adk",
        "@voltagent/core": "voltagent",
        "@strands-agents/sdk": "strands",
    }
)
CONTRACT: Final = "mcp"
"""The one that makes servers and no agents."""

_LANG: Final = frozenset(
    {"create_react_agent", "create_agent", "create_supervisor", "create_swarm", "create_deep_agent", "initialize_agent"}
    | {"create_tool_calling_agent", "create_openai_tools_agent", "create_openai_functions_agent", "createAgent"}
    | {"createReactAgent", "createSupervisor", "createSwarm", "createDeepAgent", "createToolCallingAgent"}
)
_AGENT: Final = frozenset({"Agent"})
AGENTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "pydantic-ai": _AGENT,
        "openai-agents": frozenset({"Agent", "RealtimeAgent", "SandboxAgent"}),
        "langgraph": _LANG,
        "langchain": _LANG,
        "deepagents": _LANG,
        "crewai": _AGENT,
        "smolagents": frozenset({"CodeAgent", "ToolCallingAgent"}),
        "google-adk": frozenset({"Agent", "LlmAgent", "SequentialAgent", "ParallelAgent", "LoopAgent"}),
        "autogen": frozenset({"AssistantAgent", "UserProxyAgent", "ConversableAgent", "MultimodalWebSurfer"}),
        "agno": frozenset({"Agent", "Team"}),
        "strands": _AGENT,
        "llamaindex": frozenset(
            {"FunctionAgent", "ReActAgent", "CodeActAgent", "AgentWorkflow", "FunctionCallingAgent", "OpenAIAgent"}
            | {"agent", "multiAgent", "createWorkflow", "AgentRunner", "FunctionCallingAgentWorker", "ReActAgentWorker"}
        ),
        "haystack": _AGENT,
        "semantic-kernel": frozenset({"ChatCompletionAgent", "OpenAIAssistantAgent"}),
        "agent-framework": frozenset({"ChatAgent", "Agent"}),
        "camel": frozenset({"ChatAgent"}),
        "claude-agent-sdk": frozenset({"AgentDefinition", "ClaudeSDKClient"}),
        "mcp-agent": _AGENT,
        "mastra": _AGENT,
        "ai-sdk": frozenset({"ToolLoopAgent", "Agent", "Experimental_Agent"}),
        "voltagent": _AGENT,
    }
)
AGENT_BASES: Final = frozenset({"Workflow", "FunctionCallingAgent", "BaseAgent", "LlmAgent", "Flow"})
"""Classes that an agent of one's own is derived from."""
GRAPH: Final = "StateGraph"

TOOLS_NAME: Final = re.compile(r"(?i)(?:\w+_)?tools|[a-z]+Tools")
"""What a list of tools is called."""
TOOL_DECORATORS: Final = frozenset({"tool", "tool_plain", "function_tool", "beta_tool", "ai_function"})
TOOL_CALLS: Final = frozenset(
    {"tool", "createTool", "dynamicTool", "FunctionTool", "StructuredTool", "Tool", "function_tool", "QueryEngineTool"}
    | {"DynamicStructuredTool", "DynamicTool", "LongRunningFunctionTool"}
)
TOOL_MAKERS: Final = frozenset({"from_function", "fromFunction", "from_defaults", "from", "from_tool_config"})
"""Methods of such a class that make a tool."""
TOOL_BASES: Final = frozenset({"BaseTool", "Tool", "StructuredTool"})
SERVER_TOOLS: Final = frozenset({"tool", "registerTool", "addTool", "add_tool", "registerAppTool"})
SERVER_PROMPTS: Final = frozenset({"Prompt", "prompt", "registerPrompt", "addPrompt", "add_prompt"})
SERVERS: Final = frozenset({"FastMCP", "McpServer", "MCPServer", "Server"})
CLIENT_SERVERS: Final = frozenset(
    {"StdioServerParameters", "MCPServerStdio", "MCPServerHTTP", "MCPServerSSE", "MCPServerStreamableHTTP"}
    | {"MCPServerStreamableHttp", "MCPServerSse", "StdioClientTransport", "StreamableHTTPClientTransport", "MCPTools"}
    | {"SSEClientTransport", "StdioConnectionParams", "StreamableHTTPConnectionParams", "SseConnectionParams"}
    | {"Experimental_StdioMCPTransport", "BasicMCPClient", "HostedMCPTool"}
)
CLIENT_TABLES: Final = frozenset({"MultiServerMCPClient", "MCPClient"})

TOOLS_ARGUMENTS: Final = ("tools", "functions", "toolsets", "builtin_tools", "tools_list", "tools_or_functions")
AGENTS_ARGUMENTS: Final = ("handoffs", "sub_agents", "managed_agents", "agents", "subagents", "members", "participants")
PROMPT_ARGUMENTS: Final = (
    *("instructions", "instruction", "system_prompt", "system_message", "systemPrompt", "backstory", "state_modifier"),
    *("stateModifier", "messageModifier", "prompt", "global_instruction", "developer_instructions"),
)
PROMPT_DECORATORS: Final = frozenset({"system_prompt", "instructions"})
PROMPT_MAKERS: Final = frozenset(
    {"PromptTemplate", "ChatPromptTemplate", "from_template", "from_messages", "fromTemplate", "fromMessages"}
)
PROMPT_NAME: Final = re.compile(r"(?i)(?:^|_|[a-z](?=P))(?:prompts?|instructions?|system_message|prompt_template)$")
MODEL_ARGUMENTS: Final = (
    *("model", "model_name", "model_id", "modelName", "modelId", "llm", "deployment_name", "embed_model", "id"),
    *("azure_deployment", "default", "llm_model"),
)
MODEL_NAME: Final = re.compile(r"(?i)(?:^|_|[a-z](?=M))(?:models?|llm)(?:_?(?:name|id))?$")
_PROVIDER: Final = (
    r"(?:openai(?:-chat|-responses)?|anthropic|google(?:-gla|-vertex|_genai|_vertexai)?|gemini|groq|mistral(?:ai)?|cohere"
    r"|bedrock(?:_converse)?|azure(?:_openai)?|ollama|deepseek|xai|grok|together|fireworks(?:_ai)?|huggingface|openrouter"
    r"|vertex_ai|litellm|gateway|perplexity|cerebras|meta|meta-llama)"
)
PREFIX: Final = re.compile(rf"(?i){_PROVIDER}[:/](?=.)")
FAMILY: Final = re.compile(
    r"(?i)(?:us\.|eu\.)?(?:anthropic\.|amazon\.|meta\.)?"
    r"(?:(?:chat)?gpt-|o[1345](?:-|$)|claude-|gemini-|gemma|(?:meta-)?llama[-\d.:]|(?:open-)?mi[sx]tral|codestral|ministral"
    r"|qw(?:en|q)|deepseek-|command-|grok-|phi-?\d|nova-|text-embedding-|embed-|whisper-|tts-|dall-e|sonar|kimi|glm-|yi-"
    r"|imagen-|veo-|titan|jamba|pixtral|voyage-|nomic-embed|bge-|all-minilm|smollm|mxbai|computer-use-preview|codex-)"
    r"[\w.:/@-]*"
)


def framework_of(path: str) -> str:
    """The framework that `path` is imported from, or empty: `pydantic_ai.Agent`, `@mastra/core/agent.Agent`."""
    head = path.partition("()")[0]
    if "/" in head:
        scope, _, rest = head.partition("/")
        package = re.split(r"[/.]", rest)[0]
        candidates = (f"{scope}/{package}", scope)
    else:
        parts = head.split(".")
        candidates = (parts[0], ".".join(parts[:2]))
    return next((PACKAGES[one] for one in candidates if one in PACKAGES), "")


def model_of(text: str) -> str:
    """The model that `text` names, without its provider, or empty where it is no name of a known family."""
    name = text.strip()
    given = PREFIX.match(name)
    while (found := PREFIX.match(name)) is not None:
        name = name[found.end() :]
    if len(name) > 120 or not re.fullmatch(r"[\w.:/@-]+", name):
        return ""
    known = FAMILY.fullmatch(name) or FAMILY.fullmatch(name.rpartition("/")[2])
    return name if known or given else ""
