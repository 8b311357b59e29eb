"""Pages of the platform: signing in, account, jobs, health."""
