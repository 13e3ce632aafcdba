"""A stand-in for Letta: what a runtime needs of it, and nothing else."""
