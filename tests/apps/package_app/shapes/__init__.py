"""Shapes and their areas."""

PI = 3.14159
