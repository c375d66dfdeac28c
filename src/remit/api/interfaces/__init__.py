"""What the control API asks of the rest of the service, as interfaces that `pep` and `app` fill. Light to import."""
