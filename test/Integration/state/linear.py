"""tenon.linear_attention."""
import numpy as np

from program import DTYPES, Program

AXES = {
    "rule": ("linear", "gated", "gated per key", "delta", "gated_delta", "gated_delta per key"), "form": ("chunks", "steps", "both"),
    "tokens": ("none", "one", "less than a chunk", "a chunk", "whole chunks", "ragged chunks"), "chunk": ("short", "odd", "vectors"),
    "calls": ("one", "two"), "initial": ("none", "of the operands' type", "of the sums' type"), "memory": ("long", "short", "forgets", "keeps"),
    "heads": ("one", "several", "groups"), "batch": ("one", "several", "none"), "keys": ("one", "odd", "vectors", "none"),
    "values": ("one", "odd", "vectors"), "dtype": DTYPES, "dims": ("static", "dynamic"),
}
DEPTHS = {"one": (1,), "odd": (3, 15, 17, 33), "vectors": (8, 16, 32, 64), "none": (0,)}


def attend(rule, q, k, v, decay, beta, state, scale):
    """Step by step, in the arrays' own precision."""
    group = q.shape[1] // k.shape[1]
    state, outputs = state.copy(), np.zeros(q.shape[:3] + v.shape[3:])
    for t in range(q.shape[2]):
        if decay is not None:
            gate = decay[:, :, t] if decay.ndim == 4 else decay[:, :, t, None]
            state = state * np.exp(gate)[..., None]
        w = v[:, :, t]
        if beta is not None:
            w = beta[:, :, t, None] * (w - np.einsum("bhde,bhd->bhe", state, k[:, :, t]))
        state = state + k[:, :, t, :, None] * w[:, :, None, :]
        outputs[:, :, t] = scale * np.einsum("bhd,bhde->bhe", q[:, :, t], np.repeat(state, group, 1))
    return outputs, state


class LinearAttention(Program):
    """Up to a chunk of tokens at once, or step by step, or both in one function; one call, or two that hand the state on."""

    def draw(self):
        r, n, c = self.r, self.n, self.choice
        rule, per_key = c["rule"].split()[0], "per key" in c["rule"]
        chunk = r.choice({"short": (2, 3), "odd": (7, 15, 33), "vectors": (16, 32, 64)}[c["chunk"]])
        t = {"none": 0, "one": 1, "less than a chunk": r.randint(1, chunk - 1), "a chunk": chunk, "whole chunks": chunk * r.randint(2, 4),
             "ragged chunks": chunk * r.randint(1, 3) + r.randint(1, chunk - 1)}[c["tokens"]]
        b, d, e = {"one": 1, "several": r.choice((2, 3)), "none": 0}[c["batch"]], r.choice(DEPTHS[c["keys"]]), r.choice(DEPTHS[c["values"]])
        h = 1 if c["heads"] == "one" else r.choice((2, 3, 4))
        heads, scale = h * (r.choice((2, 3)) if c["heads"] == "groups" else 1), r.choice((1.0, 0.125, 0.3))
        sums = "f64" if self.dtype == "f64" else "f32"
        state_type = sums if c["initial"] == "of the sums' type" else self.dtype
        self.title += (f" {c['rule']} {c['form']} of {chunk} b{b} h{heads}/{h} t{t} d{d} e{e} {c['memory']} memory, state {c['initial']}, "
                       f"{c['calls']} call(s)")
        self.cut = r.randrange(t) if t and c["calls"] == "two" else 0
        q = self.operand("q", self.normal(b, heads, t, d))
        keys = self.normal(b, h, t, d)
        k = self.operand("k", keys / np.sqrt((keys**2).sum(3, keepdims=True)))
        v = self.operand("v", self.normal(b, h, t, e))
        decay = beta = None
        if "gated" in rule:
            size = {"long": 0.1, "keeps": 0.0, "short": 10.0, "forgets": 1.0}[c["memory"]]
            gates = -size * n.random((b, h, t) + ((d,) if per_key else ()))
            if c["memory"] == "forgets":  # all of what was
                gates[n.random(gates.shape) < 0.1] = -np.inf
            decay = self.operand("g", gates)
        if "delta" in rule:
            beta = self.operand("b", n.random((b, h, t)) * r.choice((1.0, 1.0, 1.9)))
        given = c["initial"] != "none"
        state = self.argument("s", self.normal(b, h, d, e), (0,), state_type) if given else None
        expected, final = attend(rule, q[1], k[1], v[1], decay and decay[1], beta and beta[1], state[2] if given else np.zeros((b, h, d, e)), scale)
        final_kind = self.type((b, h, d, e), state_type, (0,))
        for form in {"chunks": (chunk,), "steps": (1,), "both": (chunk, 1)}[c["form"]]:
            now = f"{state[0]} : {state[1]}" if given else ""
            for number, (low, high) in enumerate(self.calls(t)):
                clauses = [(word, *operand[0][number]) for word, operand in (("decay", decay), ("beta", beta)) if operand]
                text = "".join(f" {word}({name} : {kind})" for word, name, kind in clauses)
                (qn, qk), (kn, kk), (vn, vk) = (operand[0][number] for operand in (q, k, v))
                kind = self.type((b, heads, high - low, e), self.dtype, self.dims())
                name, last = f"%y{form}_{number}", f"%f{form}_{number}"
                self.lines.append(f"{name}, {last} = tenon.linear_attention {rule} {qn}, {kn}, {vn}{text}{f' state({now})' if now else ''} "
                                  f"scale {scale} chunk {form} : {qk}, {kk}, {vk} -> {kind}, {final_kind}")
                self.result(name, kind, expected[:, :, low:high], 4)
                now = f"{last} : {final_kind}"
            self.result(last, final_kind, final, 4)

    def calls(self, tokens):
        return [(0, self.cut), (self.cut, tokens)] if self.choice["calls"] == "two" else [(0, tokens)]

    def dims(self):
        """Which dims are dynamic: what a slice takes of the tokens is a number."""
        return (0,) if self.choice["calls"] == "two" else (0, 2)

    def operand(self, name, value):
        """Adds an array over tokens, rounded to the case's type; gives its (name, type) in each call, and its value in float64."""
        parts = self.calls(value.shape[2])
        if 0 in value.shape:  # of which MLIR takes no slices
            made = [self.argument(f"{name}{number}", value[:, :, low:high], self.dims()) for number, (low, high) in enumerate(parts)]
            return [(part, kind) for part, kind, _ in made], np.concatenate([part for _, _, part in made], 2)
        whole, kind, value = self.argument(name, value, (0, 2))
        if len(parts) == 1:
            return [(whole, kind)], value
        batch = str(value.shape[0])
        if self.dynamic:
            batch = f"%{name}n"
            self.lines += [f"%{name}c = arith.constant 0 : index", f"{batch} = tensor.dim {whole}, %{name}c : {kind}"]
        made = []
        for number, (low, high) in enumerate(parts):
            shape = (value.shape[0], value.shape[1], high - low, *value.shape[3:])
            part = self.type(shape, self.dtype, (0,))
            sizes = ", ".join([batch, *map(str, shape[1:])])
            offsets = ", ".join(str(low) if i == 2 else "0" for i in range(len(shape)))
            self.lines.append(f"%{name}{number} = tensor.extract_slice {whole}[{offsets}] [{sizes}] [{', '.join('1' * len(shape))}] : {kind} to {part}")
            made.append((f"%{name}{number}", part))
        return made, value
