"""What follows the data, and what bounds the damage.

Of data: a result is read as leaves (`reading`), whose tokens (`tokens`, `learning`) go into the session's `index`;
`origins` says by it where an argument's values came from, `stores` which labels come back, `argument_obligations` and
`result_obligations` change what may not pass as it is, `detect` finds secrets and personal data. Of damage: `budgets`,
`breakers`, `monitors` over the `past`, and `incidents` for people.
"""
