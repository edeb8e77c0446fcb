"""The package of this app: with this file in place its modules may import one another relatively."""
