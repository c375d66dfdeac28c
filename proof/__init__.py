"""Proof: what each part promised, measured. `make proof PART=n`, `make soak PART=n`.

Start with `lines`, the table; `run` executes it; `verdict` is what a command has to print.
"""
