"""Discovery at work: sources looked at, changes put on record, and the inventory told."""
