"""Detectors: what is found in a text. They add labels and incidents, and never permit anything."""
