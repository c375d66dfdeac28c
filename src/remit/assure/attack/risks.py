"""The published names that attacks are told under, pinned: what a report says does not change with what is published.

OWASP Top 10 for Agentic Applications 2026 (ASI01 to ASI10), genai.owasp.org; techniques of MITRE ATLAS 2026.09,
atlas.mitre.org.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

EDITIONS: Final = "OWASP Top 10 for Agentic Applications 2026, MITRE ATLAS 2026.09"


class Risk(StrEnum):
    """A risk of the OWASP Top 10 for Agentic Applications."""

    GOAL_HIJACK = "ASI01"
    TOOL_MISUSE = "ASI02"
    IDENTITY = "ASI03"
    SUPPLY_CHAIN = "ASI04"
    CODE = "ASI05"
    MEMORY = "ASI06"
    INTER_AGENT = "ASI07"
    CASCADE = "ASI08"
    HUMAN_TRUST = "ASI09"
    ROGUE = "ASI10"


TITLES: Final[Mapping[Risk, str]] = MappingProxyType(
    {
        Risk.GOAL_HIJACK: "Agent Goal Hijack",
        Risk.TOOL_MISUSE: "Tool Misuse and Exploitation",
        Risk.IDENTITY: "Identity and Privilege Abuse",
        Risk.SUPPLY_CHAIN: "Agentic Supply Chain Vulnerabilities",
        Risk.CODE: "Unexpected Code Execution",
        Risk.MEMORY: "Memory & Context Poisoning",
        Risk.INTER_AGENT: "Insecure Inter-Agent Communication",
        Risk.CASCADE: "Cascading Failures",
        Risk.HUMAN_TRUST: "Human-Agent Trust Exploitation",
        Risk.ROGUE: "Rogue Agents",
    }
)

UNTRIED: Final[Mapping[Risk, str]] = MappingProxyType(
    {Risk.CODE: "what a tool runs is not seen from outside it; Remit decides whether the tool is called at all"}
)
"""Risks that no attempt is about, and why."""


class Technique(StrEnum):
    """A technique of MITRE ATLAS."""

    INDIRECT_INJECTION = "AML.T0051.001"
    TOOL_INVOCATION = "AML.T0053"
    EXFILTRATION = "AML.T0086"
    CONTEXT_POISONING = "AML.T0080"
    TOOL_POISONING = "AML.T0110"
    VALID_ACCOUNTS = "AML.T0012"
    COST_HARVESTING = "AML.T0034"
    AGENT_CONFIGURATION = "AML.T0081"


TECHNIQUES: Final[Mapping[Technique, str]] = MappingProxyType(
    {
        Technique.INDIRECT_INJECTION: "LLM Prompt Injection: Indirect",
        Technique.TOOL_INVOCATION: "AI Agent Tool Invocation",
        Technique.EXFILTRATION: "Exfiltration via AI Agent Tool Invocation",
        Technique.CONTEXT_POISONING: "AI Agent Context Poisoning",
        Technique.TOOL_POISONING: "AI Agent Tool Poisoning",
        Technique.VALID_ACCOUNTS: "Valid Accounts",
        Technique.COST_HARVESTING: "Cost Harvesting",
        Technique.AGENT_CONFIGURATION: "Modify AI Agent Configuration",
    }
)
