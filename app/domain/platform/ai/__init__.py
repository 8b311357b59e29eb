"""Models: what they cost, under which ceilings they are asked, and what they answered."""
