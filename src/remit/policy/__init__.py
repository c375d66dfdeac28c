"""Cedar: schema from tools, lint, validate, compile, evaluate, gates, verdict."""
