"""Feature flags: switches kept in memory, asked without a statement, changed as whole versions (rules 20 to 25)."""

from app.domain.platform.flags.memory import is_on

__all__ = ["is_on"]
