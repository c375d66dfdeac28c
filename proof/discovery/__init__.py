"""Discovery on what is real: clients from npm that write their own configuration, repositories labelled by hand.

`install` brings both from pinned packages into `build/discovery`; `clients` and `repositories` are the proof lines;
`labels/` says what a person found in each repository, and holds none of its code.
"""
