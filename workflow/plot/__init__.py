"""The figures that any experiment can ask for, in one style."""
