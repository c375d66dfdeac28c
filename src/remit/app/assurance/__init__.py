"""A workspace tried without a service: recordings replayed, cases tested, chains searched."""
