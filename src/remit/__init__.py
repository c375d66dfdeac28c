"""Remit: the control plane for AI agents.

The way of one call: it arrives at `pep.mcp.app` and goes through `pep.driver` to `pep.action_pipeline`;
`pep.decision_engine` freezes what is known, `pdp.decide` answers, and memory and the ledger's queue follow in the same
step. Once its intent is on disk the call is sent (`adapters.upstreams.transport`); once its outcome is on disk
(`pep.outcomes`), what came back is released (`pep.release`). docs/ARCHITECTURE.md has each step with its function.

To read it: `pdp` first, for what is decided; then `pep.driver`, for what is done about it. `app.build` puts both
together.
"""

__version__ = "0.1.0"
