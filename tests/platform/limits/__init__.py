"""Limits, violations and bans."""
