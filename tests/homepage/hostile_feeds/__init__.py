"""The hostile feed set: one file one defect, with what a careful reader finds in it beside it."""

from tests.homepage.hostile_feeds import bombs, characters, encodings, fields, tags
from tests.homepage.hostile_feeds.shapes import CASES, Case, Expected

__all__ = ["CASES", "Case", "Expected", "bombs", "characters", "encodings", "fields", "tags"]
