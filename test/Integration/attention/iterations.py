"""How a source's keys are gone through."""
import numpy as np

from .operand import Operand, normal


class Dense:
    """All keys that the mask does not hide."""
    name = "dense"

    def __init__(self, r, case, source):
        pass

    def operands(self):
        return []

    def text(self, dynamic):
        """What tenon.kv_source says of it."""
        return ""

    def lists(self, b, h, i, j, values):
        """Whether the lists of (b, h) hold key j for query i; arrays that broadcast to [queries, keys]."""
        return True

    def added(self, b, h, i, j, values):
        """What the lists add to scores."""
        return 0.0


class Blocks(Dense):
    """Lists of blocks, each of several queries and perhaps heads; numbers without a block are among them."""
    name = "blocks"
    sizes, weighted = (1, 3, 4, 8, 16, 33, 64, 300), False

    def __init__(self, r, case, source):
        self.number, self.h, self.element = source.number, case.h, case.sums
        self.keys, self.queries = r.choice(self.sizes), r.choice((1, 1, 2, 5, 16, 64, 128))
        self.blocks = -(-source.storage.keys // self.keys)
        heads = r.choice([w for w in range(1, case.h + 1) if case.h % w == 0])
        self.shape = (case.b, heads, -(-case.s // self.queries), min(r.choice((0, 1, 2, 4, 9, 40)), self.blocks + 3))
        self.index = r.choice(("i32", "i64"))

    def operands(self):
        draw = lambda rng: [rng.permutation(np.arange(-2, self.blocks + 2))[:self.shape[3]] for _ in range(int(np.prod(self.shape[:3])))]
        made = [Operand(f"blocks{self.number}", self.shape, self.index, draw, (0, 2, 3))]
        if self.weighted:
            made.append(Operand(f"weights{self.number}", self.shape, self.element, normal(self.shape), (0, 2, 3)))
        return made

    def text(self, dynamic):
        blocks, *weights = self.operands()
        more = f" weights(%{weights[0].name} : {weights[0].type(dynamic)})" if weights else ""
        return f" blocks(%{blocks.name} : {blocks.type(dynamic)}){more} keys {self.keys} queries {self.queries}"

    def entries(self, b, h, i, j, values):
        """Which entries of query i's list hold key j: [queries, keys, entries]."""
        lists = values[f"blocks{self.number}"][b, h // (self.h // self.shape[1])]
        return lists[i // self.queries] == (j // self.keys)[..., None]

    def lists(self, b, h, i, j, values):
        return self.entries(b, h, i, j, values).any(-1)

    def added(self, b, h, i, j, values):
        if not self.weighted:
            return 0.0
        weights = values[f"weights{self.number}"][b, h // (self.h // self.shape[1])]
        return (self.entries(b, h, i, j, values) * weights[i // self.queries]).sum(-1)


class WeightedBlocks(Blocks):
    name, weighted = "weighted blocks", True


class Tokens(Blocks):
    name, sizes = "tokens", (1,)


ITERATIONS = {iteration.name: iteration for iteration in (Dense, Blocks, WeightedBlocks, Tokens)}
