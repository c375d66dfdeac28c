"""The HTTP edge: connections, who may speak, which room answers, and what is measured of it."""
