"""What an attention gives: its result, with the log-sum-exp, with a region on weights, or by parts of the keys."""
import numpy as np

RESULTS = ("one", "lse", "probability", "partial")


class Results:
    """What fits the case of `RESULTS[..]`; where a value does not, the result alone."""

    def __init__(self, r, case, kind):
        softmax, elementwise = case.normalizer.keyword == "softmax", case.normalizer.weigh is not None
        sink = softmax and case.normalizer.sink
        self.case, self.parts = case, r.choice((1, 2, 3, 5))
        self.partial = kind == "partial" and ((softmax and not sink) or elementwise)
        self.lse = softmax and (kind == "lse" or self.partial)
        self.probability = kind == "probability"

    def title(self):
        return " ".join(name for name, given in (("lse", self.lse), ("probability", self.probability), (f"in {self.parts} parts", self.partial)) if given)

    def types(self, shape):
        """The shapes and element types of the results, of which the first without parts has `shape`."""
        parts = (self.parts,) if self.partial else ()
        made = [(shape[:3] + parts + shape[3:], self.case.sums if self.partial else self.case.dtype)]
        return made + ([(shape[:3] + parts, self.case.sums)] if self.lse else [])

    def region(self, block):
        """Of weights, with the score's arguments `block`."""
        t = self.case.sums
        return [] if not self.probability else [
            "} probability {", block, "  %add = arith.addi %h, %j : index", "  %int = arith.index_cast %add : index to i32",
            f"  %float = arith.sitofp %int : i32 to {t}", f"  %scaled = arith.mulf %a, %float : {t}",
            f"  %moved = arith.addf %scaled, %{'y' if self.case.score.extra else 'scale'} : {t}", f"  tenon.yield %moved : {t}"]

    def apply(self, weigh, seen, part, key, extra, v):
        """`weigh(seen)` gives weights; `part` and `key` are each key's part and its number in its source; `extra` what the
        region adds."""
        outs, sums = [], []
        for number in range(self.parts if self.partial else 1):
            pairs = seen & (part == number) if self.partial else seen
            weights = weigh(pairs)
            if self.probability:
                weights = np.where(pairs, weights * (np.arange(self.case.h)[:, None, None] + key) + extra, 0)
            outs.append(np.einsum("bhst,bhte->bhse", weights, v))
            sums.append(self.case.normalizer.lse if self.lse else None)
        made = [np.stack(outs, 3) if self.partial else outs[0]]
        return made + ([np.stack(sums, 3) if self.partial else sums[0]] if self.lse else [])

    def each(self, counts):
        """How many keys a part of a source with `counts` keys has."""
        return np.maximum(1, -(-(-(-counts // self.parts)) // 64) * 64)
