"""Each obligation, detector, breaker and mode of quarantine, through the gateway, with it switched on and off."""
