"""The HTML page about a run or a sweep."""
