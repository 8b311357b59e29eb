"""Feed documents: bytes to clean entries, one part a file."""
