"""Set-up, and a conda where there is none. It runs before anything is installed."""
