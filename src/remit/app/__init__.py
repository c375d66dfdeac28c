"""Where everything comes together: the service and the command line. Only this package imports `remit.adapters`."""
