"""A site's own models, for the tests of sources that are made of them."""
