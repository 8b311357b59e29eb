"""What we do: SQL and rules, one noun a file. Knows no HTTP, no HTML, no vendor."""
