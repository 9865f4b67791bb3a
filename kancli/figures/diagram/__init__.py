"""The network diagram: its layout, and drawing it on a canvas."""
