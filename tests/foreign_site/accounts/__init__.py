"""Who works with the portal."""
