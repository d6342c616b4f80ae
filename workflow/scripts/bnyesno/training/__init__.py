"""What runs inside the frameworks' environments: Python 3.7, numpy and the framework only."""
