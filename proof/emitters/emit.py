"""One agent of a real framework, watched by one real instrumentation; its interpreter has what `emitters.txt` locks.

`python emit.py EMITTER --agent NAME --model-url URL --otlp URL [--mcp URL --tool NAME --arguments JSON]`: the agent
asks the model, which calls one tool: of the MCP server at `--mcp`, else the function `look_up`. EMITTER is `otel`,
`openinference` or `traceloop`. `REMIT_OTLP_TOKEN` and `REMIT_MCP_TOKEN` are the bearers. Spans are exported at the end.
"""

import argparse
import asyncio
import os
from importlib import import_module
from typing import Any, Final

EMITTERS: Final = {
    "otel": (
        "opentelemetry.instrumentation.genai.openai_agents:OpenAIAgentsInstrumentor",
        "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    ),
    "openinference": ("openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor",),
    "traceloop": ("opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor",),
}
"""The instrumentations of each: of OpenTelemetry, OpenInference and Traceloop."""


def instrument(emitter: str, provider: Any) -> None:
    """Have `emitter` watch the framework."""
    for where in EMITTERS[emitter]:
        module, _, name = where.partition(":")
        getattr(import_module(module), name)().instrument(tracer_provider=provider)


async def act(asked: argparse.Namespace) -> str:
    """Run the agent once."""
    agents: Any = import_module("agents")
    mcp: Any = import_module("agents.mcp")
    openai: Any = import_module("openai")
    client = openai.AsyncOpenAI(api_key="none", base_url=asked.model_url)
    model = agents.OpenAIChatCompletionsModel(asked.model, client)
    said = f"call {asked.tool} {asked.arguments}"

    def look_up(what: str = "") -> str:
        """Look something up."""
        return f"found {what}"

    if not asked.mcp:
        tools = [agents.function_tool(look_up)]
        agent = agents.Agent(name=asked.agent, instructions="act", model=model, tools=tools)
        return str((await agents.Runner.run(agent, said)).final_output)
    token = os.environ.get("REMIT_MCP_TOKEN")
    params = {"url": asked.mcp, "headers": {"authorization": f"Bearer {token}"} if token else {}}
    async with mcp.MCPServerStreamableHttp(params, name="gateway") as server:
        agent = agents.Agent(name=asked.agent, instructions="act", model=model, mcp_servers=[server])
        return str((await agents.Runner.run(agent, said)).final_output)


def main() -> None:
    """Act, then export."""
    parser = argparse.ArgumentParser()
    parser.add_argument("emitter", choices=tuple(EMITTERS))
    for option in ("--agent", "--model-url", "--otlp"):
        parser.add_argument(option, required=True)
    parser.add_argument("--model", default="loopback-1")
    parser.add_argument("--mcp", default="")
    parser.add_argument("--tool", default="look_up")
    parser.add_argument("--arguments", default="{}")
    asked = parser.parse_args()

    exporter: Any = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    resources: Any = import_module("opentelemetry.sdk.resources")
    sdk: Any = import_module("opentelemetry.sdk.trace")
    export: Any = import_module("opentelemetry.sdk.trace.export")
    provider = sdk.TracerProvider(resource=resources.Resource.create({"service.name": f"{asked.agent}-service"}))
    token = os.environ.get("REMIT_OTLP_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else None
    sends = exporter.OTLPSpanExporter(endpoint=asked.otlp, headers=headers)
    provider.add_span_processor(export.BatchSpanProcessor(sends))
    instrument(asked.emitter, provider)
    print(asyncio.run(act(asked)))
    provider.shutdown()


if __name__ == "__main__":
    main()
