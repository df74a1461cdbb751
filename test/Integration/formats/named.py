"""The block formats of GGUF files, by the values that the gguf package gives to random records."""
import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize

from .program import USE, Program

#: Elements and bytes of a record, and where its numbers in f16 lie, which are drawn as such.
FORMATS = {"Q4_0": (32, 18, (0,)), "Q4_1": (32, 20, (0, 2)), "Q5_0": (32, 22, (0,)), "Q5_1": (32, 24, (0, 2)), "Q8_0": (32, 34, (0,)),
           "Q6_K": (256, 210, (208,)), "IQ4_NL": (32, 18, (0,)), "MXFP4": (32, 17, ())}
AXES = {"format": tuple(FORMATS), "blocks": ("one", "several", "part of the last"), **USE}


class Named(Program):
    def draw(self):
        name = self.choice["format"]
        block, size, halves = FORMATS[name]
        blocks = 1 if self.choice["blocks"] == "one" else self.r.choice((2, 3, 4))
        self.k, self.records, self.parts, self.format = block * blocks, True, {}, f'"{name}"'
        if self.choice["blocks"] == "part of the last":
            self.k -= self.r.randrange(1, block)
        data = self.data.integers(0, 256, (self.n, blocks, size)).astype(np.uint8)
        for at in halves:
            data[..., at:at + 2] = self.data.standard_normal((self.n, blocks, 1)).astype(np.float16).view(np.uint8)
        if name == "MXFP4":  # the exponent of a scale
            data[..., 0] = self.data.integers(118, 131, (self.n, blocks))
        data = data.reshape(self.n, -1)
        self.codes, self.codes_type = data.view(np.int8), f"tensor<{self.n}x{data.shape[1]}xi8>"
        self.values = dequantize(data, GGMLQuantizationType[name])[:, :self.k]
