"""Where the bits of codes lie in records."""
import numpy as np


def draw_planes(r, bits, block):
    """Planes of powers of two that add up to `bits`: [bits, run] each, low bits first."""
    counts = [count for count in (1, 2, 4, 8) if bits & count] if bits < 16 else [8, 8]
    r.shuffle(counts)
    return [(count, r.choice([run for run in (1, 2, 4, 8, 16, 32, 64) if block % (run * (8 // count)) == 0])) for count in counts]


def pack_plane(codes, count, run):
    """Bits of the codes of each record [.., block] in bytes, by the formula of #tenon.format."""
    per_byte, block = 8 // count, codes.shape[-1]
    result = np.zeros((*codes.shape[:-1], block // per_byte), np.uint8)
    for j in range(block):
        result[..., j // (run * per_byte) * run + j % run] |= codes[..., j] << (j // run % per_byte * count)
    return result
