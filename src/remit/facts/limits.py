"""Every limit that input meets before policy sees it, with its unit last in the name.

Exceeding one is a reasoned refusal, never a truncation.
"""

from dataclasses import dataclass
from typing import Final

INTEGER_MAX: Final = 2**53 - 1
"""Largest integer accepted in JSON from an agent: the I-JSON range (RFC 7493 section 2.2)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what an agent or an upstream may send, and on what all of them may hold.

    `body_bytes_max`: one HTTP request body, `body_nodes_max`: the values in it.
    `arguments_bytes_max`: canonical arguments of one action. `depth_max`: nesting of arrays and
    objects. `nodes_max`: values in any other document.
    `string_bytes_max`: one string, in UTF-8. `result_bytes_max`: one upstream message.
    `schema_bytes_max`: one tool definition. `call_s`: how long an upstream may take.

    `connections_max`: open client connections; `head_bytes_max`: the head of one request.
    `head_s_max`, `body_s_max`: until the head, the body of a request is there whole.
    `idle_s_max`: a connection between two requests. `write_s_max`: how long an answer may wait
    for a client that does not read. `streams_max`, `streams_per_agent_max`: standing event
    streams. `watches_max`, `watches_per_agent_max`: what one server is watched for, for those.
    `requests_per_s_max`: requests of one agent, `requests_burst_max` at once;
    `requests_per_agent_max`: those of them that are not answered yet, streams included.
    `held_bytes_max`, `held_bytes_per_agent_max`: answers of servers from when they are read until clients have read
    them, where one has more than 64 KiB, with 64 bytes for each value in it.
    `telemetry_share_max`: seconds in a second that discovery may work on telemetry of one agent,
    `telemetry_burst_s_max` at once.
    `asks_per_hour_max`: how often one agent may have people asked.
    `drain_s_max`: how long calls in flight may take to end once the service is asked to.
    `grants_per_agent_max`: grants of one chain of agents at once; `grant_uses_max`: actions under one grant;
    `grant_hours_max`: how long one for a tool may last.
    """

    body_bytes_max: int = 4 * 1024 * 1024
    body_nodes_max: int = 10_000
    arguments_bytes_max: int = 1024 * 1024
    depth_max: int = 64
    nodes_max: int = 100_000
    string_bytes_max: int = 1024 * 1024
    result_bytes_max: int = 16 * 1024 * 1024
    schema_bytes_max: int = 256 * 1024
    tools_per_server_max: int = 1_000
    call_s: float = 60.0
    connections_max: int = 16_384
    head_bytes_max: int = 64 * 1024
    head_s_max: float = 10.0
    body_s_max: float = 30.0
    idle_s_max: float = 60.0
    write_s_max: float = 60.0
    streams_max: int = 12_000
    streams_per_agent_max: int = 1_000
    watches_max: int = 512
    watches_per_agent_max: int = 128
    requests_per_s_max: float = 2_000.0
    requests_burst_max: int = 4_000
    requests_per_agent_max: int = 2_000
    held_bytes_max: int = 512 * 1024 * 1024
    held_bytes_per_agent_max: int = 128 * 1024 * 1024
    telemetry_share_max: float = 0.25
    telemetry_burst_s_max: float = 4.0
    drain_s_max: float = 10.0
    grants_per_agent_max: int = 50
    grant_uses_max: int = 200
    grant_hours_max: float = 168.0
    asks_per_hour_max: int = 60


DEFAULT: Final = Limits()
