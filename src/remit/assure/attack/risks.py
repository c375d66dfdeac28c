"""The published names that attacks are told under.

OWASP Top 10 for Agentic Applications 2026 (ASI01 to ASI10) and techniques of MITRE ATLAS, as of November 2026.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Risk(StrEnum):
    """A risk of the OWASP Top 10 for Agentic Applications."""

    GOAL_HIJACK = "ASI01"
    TOOL_MISUSE = "ASI02"
    IDENTITY = "ASI03"
    SUPPLY_CHAIN = "ASI04"
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
        Risk.MEMORY: "Memory & Context Poisoning",
        Risk.INTER_AGENT: "Insecure Inter-Agent Communication",
        Risk.CASCADE: "Cascading Failures",
        Risk.HUMAN_TRUST: "Human-Agent Trust Exploitation",
        Risk.ROGUE: "Rogue Agents",
    }
)
"""ASI05, code execution, is the tool's own: what a tool runs is not seen from outside it."""


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
