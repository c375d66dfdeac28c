"""The interfaces that adapters fill: ledger, clock, entropy, signer, upstream, workspace."""
