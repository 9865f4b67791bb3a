"""One run: from `Settings` to a result and its folder, and back from the folder."""
