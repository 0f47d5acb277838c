"""The report of a force field: one HTML file that needs nothing else."""
