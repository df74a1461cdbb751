"""How a source's keys are gone through."""


class Dense:
    """All keys that the mask does not hide."""
    name = "dense"

    def __init__(self, r, case, source):
        pass

    def operands(self):
        return []

    def text(self):
        """What tenon.kv_source says of it."""
        return ""

    def lists(self, b, h, i, j, values):
        """Whether the lists of (b, h) hold key j for query i; arrays that broadcast to [queries, keys]."""
        return True


ITERATIONS = {iteration.name: iteration for iteration in (Dense,)}
