"""What follows the data: session labels, stores, argument origins, redaction."""
