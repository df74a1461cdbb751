"""Where the keys and values of a source lie: in order, in pages of a pool, in a ring; and how many of them exist."""
import numpy as np

from .operand import Operand, integers

STORAGES = ("in order", "pages", "pages of heads", "ring", "ring of pages")
LENGTHS = ("all", "batches", "heads")


class Storage:
    """Keys `k<number>` and values `v<number>` of one source, for `b` batches and `g` heads."""

    def __init__(self, r, kind, lengths, keys, number, b, g):
        self.kind, self.lengths, self.number, self.b, self.g = kind, lengths, number, b, g
        self.page, self.pool, self.index = r.choice((1, 2, 4, 5, 16, 32)), r.choice((1, 3, 20)), r.choice(("i32", "i64"))
        if self.paged():
            self.pages = -(-keys // self.page)
        self.keys = self.pages * self.page if self.paged() else keys

    def paged(self):
        return "pages" in self.kind

    def title(self):
        return (f"{self.keys}{' of each ' + self.lengths if self.lengths != 'all' else ''} {self.kind}"
                f"{f' of {self.page} from {self.pool}' if self.paged() else ''}")

    def shape(self, depth):
        return (self.pool, self.g, self.page, depth) if self.paged() else (self.b, self.g, self.keys, depth)

    def operands(self):
        """The operands beside keys and values, by keyword of tenon.kv_source."""
        made = {}
        if self.paged():
            shape = (self.b, self.g, self.pages) if "heads" in self.kind else (self.b, self.pages)
            made["pages"] = Operand(f"pages{self.number}", shape, self.index, integers(-1, self.pool + 2, shape), (0, len(shape) - 1))
        if "ring" in self.kind:
            made["start"] = Operand(f"start{self.number}", (self.b,), self.index, integers(-1, self.keys + 3, (self.b,)), (0,))
        if self.lengths != "all":
            shape = (self.b, self.g) if self.lengths == "heads" else (self.b,)
            made["lengths"] = Operand(f"lengths{self.number}", shape, "i64", integers(-1, self.keys + 2, shape), (0,))
        return made

    def read(self, stored, values):
        """`stored`, as keys or values lie, in order: [b, g, keys, depth]."""
        place = np.broadcast_to(np.arange(self.keys), (self.b, self.g, self.keys))
        if "ring" in self.kind and self.keys:
            place = (place + np.maximum(values[f"start{self.number}"], 0)[:, None, None]) % self.keys
        page, head = np.arange(self.b)[:, None, None], np.arange(self.g)[None, :, None]
        if self.paged():
            table = values[f"pages{self.number}"]
            table = table if table.ndim == 3 else np.broadcast_to(table[:, None], (self.b, self.g, self.pages))
            page, place = np.clip(table[page, head, place // self.page], 0, self.pool - 1), place % self.page
        return stored[page, head, place]

    def counts(self, values):
        """How many keys exist: [b, g]."""
        count = values.get(f"lengths{self.number}", np.full((self.b, self.g), self.keys))
        return np.clip(np.broadcast_to(count if count.ndim == 2 else count[:, None], (self.b, self.g)), 0, self.keys)
