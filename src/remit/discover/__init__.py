"""Finding agents: sightings, the inventory that is their fold, and coverage."""
