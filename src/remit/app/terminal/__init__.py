"""What every command shares: how it prints, how it fails, and its way to a running service."""
