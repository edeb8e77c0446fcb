"""An app that is a package."""

runs = 1
