"""Privacy: one registry of what we keep about people; export, erasure and retention walk it and nothing else."""
