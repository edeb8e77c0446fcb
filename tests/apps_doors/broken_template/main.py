"""Raises while it is built for its page."""

password = "hunter2"
raise ValueError(f"the password is {password}")
