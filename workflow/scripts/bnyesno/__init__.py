"""What the scripts of the rules share."""
