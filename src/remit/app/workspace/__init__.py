"""What a workspace starts from and is given: the template, packs, and proposed catalog entries."""
