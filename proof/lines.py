"""The table of proof: one line for each thing that a part promised to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FINISHED_PARTS: Final[tuple[int, ...]] = ()
"""Parts whose Proof was seen whole: `make proof` without a part runs their quick lines, so CI holds them."""

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a Python module to run, and what it has to show.

    `command` is followed by `short` or `long`; it ends with a verdict (see `proof.verdict`) within `timeout_s` in its
    short form, and within `LONG_FACTOR` times that in its long form. `quick` lines together take at most 3 minutes, and
    none of them hangs on how fast the machine is at that moment: those are measured alone.
    """

    part: int
    id: str
    text: str
    command: Argv
    goal: str
    quick: bool = True
    short: Argv = ()
    long: Argv = ()
    timeout_s: int = 120

    def argv(self, *, long: bool) -> Argv:
        """Return what follows the Python interpreter on the command line."""
        return (*self.command, *(self.long if long else self.short))


LONG_FACTOR: Final = 30


def tests(*node_ids: str) -> Argv:
    """Return the command that passes when all of these tests exist, run and pass."""
    return ("-m", "proof.tests", *node_ids)


LINES: Final[tuple[Line, ...]] = (
    Line(
        part=1,
        id="fresh-clone",
        text="make test and make run in a fresh clone, empty HOME, PATH of Python and make",
        command=("-m", "proof.fresh_clone"),
        goal="both exit 0; every step of the demo as told",
        quick=False,
        timeout_s=1200,
    ),
    Line(
        part=1,
        id="crash",
        text="kill -9 with at least 20 calls in flight",
        command=("-m", "bench.crash"),
        goal="no acknowledged intent lost, no effect without an intent, in-doubt list exact",
        quick=False,
        short=("--rounds", "20"),
        long=("--rounds", "200"),
        timeout_s=240,
    ),
    Line(
        part=1,
        id="start",
        text="with 1,000,000 records: exec to the first governed answer, and to /readyz",
        command=("-m", "bench.start"),
        goal="answer ≤ 1.5 s, ready ≤ 2 s",
        quick=False,
        timeout_s=180,
    ),
    Line(
        part=1,
        id="approval",
        text="one escalated call, approved by a second process",
        command=tests("tests/e2e/test_approval.py"),
        goal="exactly one effect; other bytes wait anew; requester and admin token cannot approve",
        long=("--long",),
    ),
    Line(
        part=1,
        id="drift",
        text="an upstream changes one word of a description",
        command=tests("tests/e2e/test_drift.py"),
        goal="denied tool/drifted, shown by diff, restored by tools accept --pin alone",
        long=("--long",),
    ),
    Line(
        part=1,
        id="delegation",
        text="1,000 random chains",
        command=tests("tests/core/test_delegation.py"),
        goal="delegated verdict = strictest of the links",
        long=("--long",),
    ),
    Line(
        part=1,
        id="filtering",
        text="1,000 random bundles and enforced agents",
        command=tests("tests/core/test_filtering.py"),
        goal="no hidden tool has a permitting call",
        long=("--long",),
    ),
    Line(
        part=1,
        id="misspelt",
        text="a misspelt label, argument or attribute in a policy",
        command=tests("tests/core/test_misspelt.py"),
        goal="refused at apply",
        long=("--long",),
    ),
    Line(
        part=1,
        id="absurd-tool",
        text="one absurd tool among 200",
        command=tests("tests/e2e/test_absurd_tool.py"),
        goal="quarantined; the other 199 work",
        long=("--long",),
    ),
    Line(
        part=1,
        id="decide",
        text="one decision in process",
        command=("-m", "bench.decide"),
        goal="measured (its goal is in part 3); every verdict right",
        short=("--measured",),
        long=("--measured", "--long"),
    ),
    Line(
        part=1,
        id="append",
        text="durable intent at 1, 16 and 128 callers",
        command=("-m", "bench.append"),
        goal="1: p50 ≤ 1.3 × raw + 0.15 ms; 128: ≥ 50,000 records/s",
        quick=False,
        long=("--long",),
    ),
    Line(
        part=1,
        id="gateway",
        text="tools/call direct, bare proxy, Remit, FastMCP's proxy",
        command=("-m", "bench.gateway"),
        goal="p50 ≤ bare proxy + 2.6 × raw + 1.2 ms; calls/s per core ≥ 12 % of it",
        quick=False,
        long=("--long",),
        timeout_s=240,
    ),
    Line(
        part=1,
        id="fail-closed",
        text="docs/reference/fail-closed.md and coverage.md: each failure and promise has its test",
        command=tests("tests/core/test_docs.py"),
        goal="every row names a test that exists and runs",
        long=("--long",),
    ),
    Line(
        part=2,
        id="conformance",
        text="the pinned MCP suites against a conformant server, directly and through Remit",
        command=("-m", "proof.conformance"),
        goal="32 of 32 and all scored directly; each that passes directly passes through Remit",
        timeout_s=300,
    ),
    Line(
        part=2,
        id="mcp-methods",
        text="every method and notification of both schemas",
        command=tests("tests/core/test_mcp_schema.py"),
        goal="governed, answered, passed by an explicit rule, or denied",
        long=("--long",),
    ),
    Line(
        part=2,
        id="mcp-rows",
        text="docs/reference/mcp.md: each method, header and error rule of 2026-07-28",
        command=("-m", "proof.rows", "docs/reference/mcp.md"),
        goal="every row names a test that exists and runs, in all four era pairs",
        long=("--long",),
    ),
    Line(
        part=2,
        id="no-bypass",
        text="mutated messages and chunkings against the whole path and hostile servers",
        command=("-m", "proof.fuzz"),
        goal="no byte before its labels, no effect without intent, no 5xx that let an effect through",
        quick=False,
        short=("--count", "100000"),
        long=("--count", "10000000"),
        timeout_s=600,
    ),
    Line(
        part=2,
        id="soak",
        text="70 % load with random faults of the server behind",
        command=("-m", "bench.soak"),
        goal="memory slope ≈ 0, p99 drift < 10 %",
        quick=False,
        long=("--long",),
        timeout_s=300,
    ),
    Line(
        part=3,
        id="compiled-corpus",
        text="Cedar's own test cases by generated code and by cedarpy; one opcode made wrong",
        command=("-m", "bench.cedar"),
        goal="all requests equal; ≥ 98 % of those that validate by generated code; the wrong opcode found",
    ),
    Line(
        part=3,
        id="compiled-random",
        text="20,000 generated pairs of policy set and request by generated code and by cedarpy",
        command=("-m", "proof.compiled"),
        goal="no difference",
        quick=False,
        short=("--pairs", "20000"),
        long=("--pairs", "400000"),
        timeout_s=600,
    ),
    Line(
        part=3,
        id="compiled",
        text="100,000 decisions in process at 10 to 10,000 policies (as many at each in the long form), beside cedarpy",
        command=("-m", "bench.decide"),
        goal="policy and facts: p50 ≤ 15 µs, p99 ≤ 60 µs at 1,000 and at 10,000 policies; every verdict right",
        quick=False,
        long=("--long",),
        timeout_s=300,
    ),
    Line(
        part=3,
        id="simulator",
        text="seeded runs of agents, people, servers, disk, clock and crashes; each invariant switched off by a mutant",
        command=("-m", "proof.sim"),
        goal="no law broken; each mutant caught within 1,000 seeds",
        short=("--seeds", "200"),
        long=("--seeds", "5000"),
        timeout_s=300,
    ),
    Line(
        part=3,
        id="mutations",
        text="1,000 mutations of a ledger by full verification (100,000 more incrementally in the long form)",
        command=("-m", "proof.mutations"),
        goal="all detected, per class, against a checkpoint kept elsewhere",
        quick=False,
        short=("--count", "1000"),
        long=("--count", "1000", "--incremental"),
        timeout_s=300,
    ),
    Line(
        part=3,
        id="verify",
        text="a ledger verified by chain and commitments, and with the RFC 6962 root, per core",
        command=("-m", "bench.verify"),
        goal="≥ 250,000 records/s; with the root ≥ 120,000",
        quick=False,
        long=("--long",),
    ),
    Line(
        part=3,
        id="append-tail",
        text="128 callers for 30 s (long: 10 minutes), then 6,000 intents a second: p99 and the length of the log",
        command=("-m", "bench.append_tail"),
        goal="≥ 50,000 records/s, p99 ≤ 4 ms; open loop p99 ≤ 4 ms; log ≤ 64 MiB",
        quick=False,
        long=("--long",),
    ),
    Line(
        part=3,
        id="gateway-compiled",
        text="tools/call direct, bare proxy, Remit, without the allowance of part 1",
        command=("-m", "bench.gateway", "--compiled", "--no-fastmcp"),
        goal="p50 ≤ bare proxy + 2.6 × raw + 0.7 ms; calls/s per core ≥ 35 % of it",
        quick=False,
        long=("--long",),
        timeout_s=240,
    ),
    Line(
        part=2,
        id="oauth",
        text="OAuth against a real authorization server on loopback, every secret looked for",
        command=tests("tests/e2e/test_oauth_secrets.py", "tests/e2e/test_oauth.py", "tests/e2e/test_oauth_refused.py"),
        goal="each flow and refusal as told; tokens, codes and secrets in no log, ledger, answer or dump",
        quick=False,
        long=("--long",),
        timeout_s=600,
    ),
    Line(
        part=2,
        id="idle-streams",
        text="10,000 idle streams of ten agents beside calls, then a drain",
        command=("-m", "proof.idle"),
        goal="all open, ≤ 64 KiB each, calls as before, drained ≤ 15 s",
        quick=False,
        long=("--quiet", "600"),
        timeout_s=180,
    ),
    Line(
        part=2,
        id="hostile-clients",
        text="slowloris, request smuggling, clients that vanish, agents beyond their share",
        command=tests("tests/e2e/test_hostile_clients.py", "tests/contract/test_http_smuggling.py"),
        goal="refused with a reason, nothing reaches a server, others are served",
        long=("--long",),
        timeout_s=180,
    ),
    Line(
        part=4,
        id="origins",
        text="indexing, judging, hostile texts, bytes of a token, sessions of 1,000 and 10,000 calls",
        command=("-m", "bench.origins"),
        goal="≤ 100 µs/kB of text or JSON, ≤ 300 of YAML; p50 ≤ 20 µs; linear; ≤ 64 saved, ≤ 128 resident; ≤ 12",
        quick=False,
        long=("--long",),
        timeout_s=180,
    ),
    Line(
        part=4,
        id="laws",
        text="labels never shrink, a forbid more never permits, forged words ground nothing",
        command=tests("tests/core/test_origin_laws.py"),
        goal="no counterexample",
    ),
    Line(
        part=4,
        id="shared-store",
        text="two agents and a shared store over MCP, a restart between: poison written by one, read by the other",
        command=tests("tests/e2e/test_stores.py"),
        goal="gated where it is read, whoever reads it, after a restart and after a kill",
        timeout_s=180,
    ),
    Line(
        part=4,
        id="dataflow",
        text="recorded and constructed sessions of every suite through its one static workspace",
        command=("-m", "bench.flows"),
        goal="spliced ≥ 99 % and 22 of 37; hijacks ≥ 99 %; worst ≥ 88 %; requested ≥ 80 %; benign ≥ 60 %, asks ≤ 0.6",
        short=("--redacted",),
        long=("--redacted", "--ablate"),
        timeout_s=300,
    ),
    Line(
        part=4,
        id="agentdojo",
        text="AgentDojo's ground truths of four suites, rebuilt from its package; two suites are held out",
        command=("-m", "bench.dojo"),
        goal="banking and slack ≥ 99 %, 22 of 37 alone; four suites ≥ 99 % and ≥ 75 %; no benign call denied",
        quick=False,
        long=("--long",),
        timeout_s=600,
    ),
    Line(
        part=4,
        id="ledger-replay",
        text="a ledger with something of everything, judged again",
        command=tests("tests/e2e/test_relive.py", "tests/e2e/test_relive_service.py"),
        goal="every verdict as recorded, byte for byte",
        long=("--long",),
    ),
    Line(
        part=4,
        id="packs",
        text="each pack by its cases, and without each of its policies",
        command=tests("tests/e2e/test_packs.py"),
        goal="every case holds; deleting any one policy fails a case",
        long=("--long",),
        timeout_s=180,
    ),
    Line(
        part=4,
        id="words",
        text="the user's words over the API ground what is reached, also after kill -9; forged ones ground nothing",
        command=tests("tests/e2e/test_words.py", "tests/contract/test_indices.py"),
        goal="what the user named leaves, what a page named waits; <= 64 bytes per distinct token saved",
        timeout_s=180,
    ),
    Line(
        part=5,
        id="grants",
        text="banking and slack where the approver grants the session for every benign ask",
        command=("-m", "bench.granted"),
        goal="benign asks ≤ 0.5 a session; hijacks ≥ 99 %, worst ≥ 85 % stopped",
    ),
    Line(
        part=6,
        id="emitters",
        text="three real instrumentations of a real agent framework, from PyPI, against a loopback model",
        command=("-m", "proof.emitters"),
        goal="every agent, model and tool; a bypass shows as ungoverned ≤ 5 s; through the gateway governed, once",
        quick=False,
        timeout_s=400,
    ),
    Line(
        part=6,
        id="fold",
        text="10,000 random sightings in random order and batches, some of them twice",
        command=tests("tests/core/test_inventory.py", "tests/contract/test_sightings.py"),
        goal="one inventory",
    ),
    Line(
        part=6,
        id="client-table",
        text="each client's version, source of its format, files and what is read, as the table says",
        command=tests("tests/core/test_discovery_docs.py", "tests/core/test_discover_hosts.py"),
        goal="the page and the code agree; every way to declare a server is read",
    ),
    Line(
        part=6,
        id="clients",
        text="Claude Code and Gemini CLI from npm, whose own command lines write their configuration",
        command=("-m", "proof.discovery.clients"),
        goal="discover host finds every server, names of variables and headers, and no secret's value",
        quick=False,
        timeout_s=900,
    ),
    Line(
        part=6,
        id="repositories",
        text="18 repositories labelled by hand, of public code from PyPI and npm, Python and TypeScript",
        command=("-m", "proof.discovery.repositories"),
        goal="≥ 10 repositories, precision ≥ 95 %, recall ≥ 80 %, misses listed",
        quick=False,
        timeout_s=900,
    ),
    Line(
        part=5,
        id="hostile-strings",
        text="over 200 hostile texts in all that a stranger can write, on the page in Chromium, on the card in pyte",
        command=tests("tests/e2e/test_hostile_page.py", "tests/e2e/test_hostile_card.py"),
        goal="the DOM is that of the escaped text; no script, navigation or request; no cell of the frame changes",
        quick=False,
        timeout_s=300,
    ),
    Line(
        part=5,
        id="page",
        text="the page in Chromium: decided with a keyboard, at phone size, and by forged forms",
        command=tests("tests/e2e/test_page.py", "tests/e2e/test_page_in_a_browser.py"),
        goal="≤ 30 kB; runs once, as edited; a no's reason reaches the agent; forged and stale forms decide nothing",
        timeout_s=300,
    ),
    Line(
        part=7,
        id="halt",
        text="200 halts under load over /mcp: from the command to the last call that reached the server",
        command=("-m", "bench.halt"),
        goal="p99 ≤ 50 ms",
        quick=False,
        long=("--long",),
    ),
    Line(
        part=6,
        id="spans",
        text="spans of 1,000 agents into the inventory, then distinct names without end",
        command=("-m", "bench.spans"),
        goal="≥ 10,000 spans/s per core; ≤ 20 MiB from 10^4 to 10^6 spans; a new tool visible ≤ 2 s",
        quick=False,
        long=("--flood", "10000000"),
        timeout_s=600,
    ),
    Line(
        part=5,
        id="webhooks",
        text="signed webhooks to a receiver that keeps their ids, sender and receiver each killed twice",
        command=tests("tests/e2e/test_webhooks.py", "tests/contract/test_outbox.py"),
        goal="acted on once each; verified by the official library; nothing an agent wrote leaves",
        quick=False,
        timeout_s=300,
    ),
    Line(
        part=6,
        id="conditions",
        text="the demo, and a stranger beside it: every condition against a list written by hand",
        command=tests("tests/e2e/test_demo_inventory.py"),
        goal="every condition shown is true, and every true one is shown",
        quick=False,
        timeout_s=400,
    ),
)
