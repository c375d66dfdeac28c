"""Bundles of the service: made, checked, in force, compared, and kept between starts."""
