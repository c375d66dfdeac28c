"""AgentDojo, rebuilt from its package, as a check that hangs on no recording."""
