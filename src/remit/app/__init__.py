"""Settings, the one place that picks adapters, and the command line. Only this package imports `remit.adapters`."""
