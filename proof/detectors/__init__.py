"""What detectors find of a labelled set, and what they miss."""
