"""Pages of profiles, and the way out."""
