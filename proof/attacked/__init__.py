"""The attack proof: real workspaces attacked, and Remit itself with one check removed at a time."""
