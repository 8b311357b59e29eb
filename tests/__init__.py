"""The tests: the same folders and nouns as the program."""
