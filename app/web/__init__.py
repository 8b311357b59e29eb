"""How people and scripts reach us: parse, one domain call, answer."""
