"""The network diagram: where things go, and how they are drawn."""
