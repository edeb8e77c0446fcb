class Words(str):
    """A class to be pickled."""


def words():
    return Words("one")
