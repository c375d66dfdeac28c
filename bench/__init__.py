"""Measurements, each against a peer or the physical limit; `python -m bench --list` names them."""
