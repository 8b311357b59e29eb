"""The jobs, a file a folder of domain, and the workers that run them."""
