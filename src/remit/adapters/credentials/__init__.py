"""Credentials that Remit shows to servers: secrets by reference, and an OAuth 2.1 client."""
