"""tenon.route and tenon.moe: which tokens go to which experts, and what these make of them."""
import numpy as np

from program import DTYPES, Program, numpy_type

from .activations import ACTIVATIONS
from .selection import order

#: The axes that a route and a mixture share.
ROUTING = {
    "score": ("softmax", "sigmoid", "relu"), "take": (*map(str, range(1, 9)), "threshold", "2 and threshold", "8 and threshold"),
    "experts": ("as few as can be", "more", "many"), "groups": ("one", "best of two", "best of four", "all of two"),
    "share": ("drawn", "one takes all", "empty experts", "ties"), "biases": ("none", "biases"),
    "normalize": ("as they are", "normalize", "scaled", "normalize, scaled"), "tokens": ("none", "one", "few", "many"),
    "dtype": DTYPES, "dims": ("static", "dynamic"),
}
ROUTE_AXES = ROUTING
MOE_AXES = {**ROUTING, "activation": tuple(ACTIVATIONS), "gate": ("none", "gate"), "shared": ("none", "shared"),
            "widths": ("one", "odd", "vectors"), "weights": ("arguments", "stored")}
TOKENS = {"none": (0,), "one": (1,), "few": (2, 3, 5, 7, 16, 17), "many": (33, 64, 65, 100)}
DEPTHS = {"one": (1,), "odd": (5, 17, 33), "vectors": (8, 48, 64)}
HIDDEN = {"one": (1,), "odd": (5, 33, 100), "vectors": (16, 64)}


class Routed(Program):
    def route(self):
        """Draws logits and biases; gives the score and the clauses after it, the logits (name, type), each token's weights by
        expert (NaN: not taken), and for how many experts of a token the list has room."""
        r, c = self.r, self.choice
        groups = {"one": 1, "best of four": 4}.get(c["groups"], 2)
        top = 0 if c["take"] == "threshold" else int(c["take"].split()[0])
        kept = groups if c["groups"] in ("one", "all of two") else r.randint(1, groups - 1)
        least = -(-max(top, 1) // groups)
        experts = groups * {"as few as can be": least, "more": least + r.choice((1, 3)), "many": least + r.choice((12, 20))}[c["experts"]]
        tokens, group_top = r.choice(TOKENS[c["tokens"]]), r.randint(1, min(2, experts // groups))
        threshold = r.choice((0.0, 0.1, 0.3)) if "threshold" in c["take"] else None
        normalize, scale = "normalize" in c["normalize"], 2.5 if "scaled" in c["normalize"] else 1.0
        logits = self.normal(tokens, experts)
        if c["share"] == "one takes all":
            logits[:, r.randrange(experts)] += 20
        elif c["share"] == "empty experts":
            logits[:, self.n.random(experts) < 0.5] -= 20
        elif c["share"] == "ties":
            logits = np.round(logits)
        l, l_type, scores = self.argument("l", logits, (0,))
        if c["score"] == "softmax":
            scores = np.exp(scores - scores.max(1, keepdims=True))
            scores /= scores.sum(1, keepdims=True)
        else:
            scores = 1 / (1 + np.exp(-scores)) if c["score"] == "sigmoid" else np.maximum(scores, 0)
        text, choices = "", scores
        if c["biases"] == "biases":
            b, b_type, biases = self.argument("b", self.normal(experts))
            text, choices = f" biases {b} : {b_type}", scores + biases
        for name, value, default in (("top_k", top, 0), ("threshold", threshold, None), ("groups", groups, 1), ("top_groups", kept, 1),
                                     ("group_top", group_top, 1)):
            if value != default:
                text += f" {name} {value}"
        text += (" normalize" if normalize else "") + (f" scale {scale}" if scale != 1 else "")
        weights, size = np.full((tokens, experts), np.nan), experts // groups
        for t in range(tokens):
            ranks = np.array([np.sort(choices[t, g * size:(g + 1) * size])[::-1][:group_top].sum() for g in range(groups)])
            allowed = np.isin(np.arange(experts) // size, order(ranks)[:kept]) if groups > 1 else np.ones(experts, bool)
            taken = [e for e in order(choices[t]) if allowed[e] and (threshold is None or choices[t, e] > threshold)]
            taken = taken[:top] if top else taken
            total = scores[t, taken].sum() if normalize else 1
            weights[t, taken] = scale * scores[t, taken] / (total if total else 1)
        self.title += f" {tokens}x{experts} {c['score']}{text} ({c['share']})"
        return c["score"], text, l, l_type, weights, top or experts


class Route(Routed):
    def draw(self):
        score, text, l, l_type, weights, room = self.route()
        tokens, experts = weights.shape
        offsets, entries, values = [0], [], []
        for e in range(experts):
            taken = np.flatnonzero(~np.isnan(weights[:, e]))
            entries += taken.tolist()
            values += weights[taken, e].tolist()
            offsets.append(len(entries))
        rest = [0] * (tokens * room - len(entries))
        o, t, w = self.type((experts + 1,), "i64"), self.type((tokens * room,), "i64", (0,)), self.type((tokens * room,), self.dtype, (0,))
        self.lines.append(f"%o, %t, %w = tenon.route {score} {l}{text} : {l_type} -> {o}, {t}, {w}")
        self.result("%o", o, np.array(offsets), exact=True)
        self.result("%t", t, np.array(entries + rest, np.int64), exact=True)
        self.result("%w", w, np.array(values + rest, np.float64))


class Moe(Routed):
    def draw(self):
        r, c = self.r, self.choice
        score, text, l, l_type, weights, _ = self.route()
        tokens, experts = weights.shape
        depth, hidden, width = r.choice(DEPTHS[c["widths"]]), r.choice(HIDDEN[c["widths"]]), r.choice((3, 16, 40))
        gated, activation = c["gate"] == "gate", ACTIVATIONS[c["activation"]]
        self.title += f" {c['activation']} {depth}x{hidden}{' gated' if gated else ''}{f' shared {width}' if c['shared'] == 'shared' else ''}"
        x, x_type, rows = self.argument("x", self.normal(tokens, depth), (0,))
        operands = ""

        def part(keyword, *shape):
            nonlocal operands
            name, kind, value = self.weight(keyword, self.normal(*shape) / np.sqrt(shape[-2]))
            operands += f" {keyword} {name} : {kind}"
            return value

        def expert(row, gate, up, down):
            h = activation(row @ gate) * (row @ up) if gated else activation(row @ up)
            return h.astype(numpy_type(self.dtype)).astype(np.float64) @ down

        gate = part("gate", experts, depth, hidden) if gated else None
        up, down = part("up", experts, depth, hidden), part("down", experts, hidden, depth)
        y = np.zeros((tokens, depth))
        for e in range(experts):
            taken = np.flatnonzero(~np.isnan(weights[:, e]))
            y[taken] += weights[taken, e][:, None] * expert(rows[taken], gate[e] if gated else None, up[e], down[e])
        if c["shared"] == "shared":
            gate = part("shared_gate", depth, width) if gated else None
            y += expert(rows, gate, part("shared_up", depth, width), part("shared_down", width, depth))
        self.lines.append(f"%y = tenon.moe {c['activation']} {x}, {l} route {score}{text}{operands} : {x_type}, {l_type} -> {x_type}")
        self.result("%y", x_type, y)
