"""The homepage: pages of widgets, news, weather and links."""
