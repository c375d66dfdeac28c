"""Cedar: schema from tools, lint, validate, compile, evaluate, gates, verdict.

Two ways in. A bundle is made by `compile`: text is split (`parse`), looked into (`form`), linted and validated
(`checks`) against a `schema` made from the tools. An action is judged by `evaluate`: facts become a `context`, `weigh`
asks the slice's generated function (`compiled`) or cedarpy, `gates` and `verdict` say what follows.
"""
