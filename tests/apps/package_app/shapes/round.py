from . import PI


def area(radius):
    return PI * radius**2
