"""Real emitters of telemetry, for the proof of part 6: an agent, three instrumentations, a loopback model."""
