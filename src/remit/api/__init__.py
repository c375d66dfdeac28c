"""The control plane over HTTP: resources, tokens, approvals, events."""
