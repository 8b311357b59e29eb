"""Profiles and clicks: who leads where."""
