"""Feature flags: order, versions, exposures, plans, pages."""
