"""Whom we call: one door a service."""
