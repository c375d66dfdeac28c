"""Programs that set up, lock and check this repository. None of them is installed."""
