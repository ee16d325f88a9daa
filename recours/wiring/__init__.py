"""Where the parts are put together, and nowhere else."""
