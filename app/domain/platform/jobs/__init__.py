"""The job ledger: work is written in PostgreSQL with the change that needs it, and done by workers."""
