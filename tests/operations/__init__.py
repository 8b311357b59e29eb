"""Tests of what operators stand on."""
