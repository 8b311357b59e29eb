"""Village: the front page of a community, run by that community."""

VERSION = "0.1.0"
