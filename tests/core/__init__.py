"""Pure tests of the core: no fixtures, no I/O, no clock."""
