"""The service: its process, what runs in it, and what it does beside answering."""
