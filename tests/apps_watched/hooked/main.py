"""Shows nothing; its hooks are what is watched."""
