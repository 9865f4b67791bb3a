"""Parameters after some steps of an optimiser."""
