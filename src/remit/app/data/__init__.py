"""The data folder: its ledger and keys opened, proved, restored and recovered."""
