"""One run in a framework's process: Python 3.7, numpy and the framework, nothing else."""
