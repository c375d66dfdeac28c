"""Sources of sightings: one file each, behind `ports.source.SightingSource`."""
