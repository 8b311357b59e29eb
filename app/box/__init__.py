"""The box: the servers Village needs, on this machine, when no real ones are named."""

from app.box.boxes import Box
from app.box.parts import BoxError

__all__ = ["Box", "BoxError"]
