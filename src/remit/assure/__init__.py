"""Tests of the limits themselves, pure and over `pdp`.

`cases` say what an author expects, and `trials` tries them on a bundle; `replay` judges recorded sessions and `history`
the ledger; `chains` looks for permitted calls that together end where they must not, `attack` plans what an adversary
would try.
"""
