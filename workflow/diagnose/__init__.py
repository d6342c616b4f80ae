"""Two scripts as they are: why their results differ, how much, and where it begins."""
