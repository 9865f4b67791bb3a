"""The samples x: drawn from a law, or read from a file."""
