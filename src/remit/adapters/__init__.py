"""What fills the ports: SQLite, signer, notifiers, upstreams, sources. Imported by `remit.app` alone."""
