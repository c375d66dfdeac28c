"""Admission: what a change of the workspace has to show before it runs, looked at beside the service."""
