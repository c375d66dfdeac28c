"""What the gateway is measured beside: an upstream of its own, a bare proxy, and other people's gateways."""
