"""Forms for people, on the pages of this package and in the admin."""
