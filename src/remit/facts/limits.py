"""Every limit that input meets before policy sees it, with its unit last in the name.

Exceeding one is a reasoned refusal, never a truncation.
"""

from dataclasses import dataclass
from typing import Final

INTEGER_MAX: Final = 2**53 - 1
"""Largest integer accepted in JSON from an agent: the I-JSON range (RFC 7493 section 2.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what an agent or an upstream may send.

    `body_bytes_max`: one HTTP request body. `arguments_bytes_max`: canonical arguments of one
    action. `depth_max`: nesting of arrays and objects. `nodes_max`: values in one document.
    `string_bytes_max`: one string, in UTF-8. `result_bytes_max`: one upstream message.
    `schema_bytes_max`: one tool definition. `call_s`: how long an upstream may take.
    """

    body_bytes_max: int = 4 * 1024 * 1024
    arguments_bytes_max: int = 1024 * 1024
    depth_max: int = 64
    nodes_max: int = 100_000
    string_bytes_max: int = 1024 * 1024
    result_bytes_max: int = 16 * 1024 * 1024
    schema_bytes_max: int = 256 * 1024
    tools_per_server_max: int = 1_000
    call_s: float = 60.0


DEFAULT: Final = Limits()
