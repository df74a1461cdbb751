"""Nested tuples, lists and dicts of arrays: taken apart and put together again."""


def flatten(value, is_leaf):
    """(leaves, structure): the structure is hashable and says how to build the value again."""
    leaves = []

    def walk(value):
        if is_leaf(value):
            leaves.append(value)
            return "*"
        if isinstance(value, dict):
            return ("dict", tuple((key, walk(part)) for key, part in value.items()))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return ("named", type(value), tuple(walk(part) for part in value))
        if isinstance(value, (tuple, list)):
            return (type(value).__name__, tuple(walk(part) for part in value))
        return ("static", value)

    return leaves, walk(value)


def unflatten(structure, leaves):
    leaves = iter(leaves)

    def build(node):
        if node == "*":
            return next(leaves)
        kind, *rest = node
        if kind == "dict":
            return {key: build(part) for key, part in rest[0]}
        if kind == "named":
            return rest[0](*[build(part) for part in rest[1]])
        if kind == "static":
            return rest[0]
        return (tuple if kind == "tuple" else list)(build(part) for part in rest[0])

    return build(structure)


def names(structure, prefix):
    """A name per leaf: prefix, then keys and positions."""
    if structure == "*":
        return [prefix]
    kind, *rest = structure
    if kind == "static":
        return []
    if kind == "dict":
        parts = [(str(key), part) for key, part in rest[0]]
    elif kind == "named":
        parts = list(zip(rest[0]._fields, rest[1]))
    else:
        parts = [(str(number), part) for number, part in enumerate(rest[0])]
    return [name for key, part in parts for name in names(part, f"{prefix}.{key}" if prefix else key)]
