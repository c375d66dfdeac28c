"""Chains: is there a way, each step of it permitted, that ends where it must not?

`search` answers for a bundle. `space` holds sets of labels as bits, `patterns` and `arguments` find one call for each
way in which conditions can come out, `asker` asks the policies themselves, `moves` says what a call does to data,
`goals` what must not be reached, `retelling` does a chain again, `written` writes it as a case, `cut` proposes the
policy that ends it.
"""
