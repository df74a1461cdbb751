#!/usr/bin/env python3
"""Draws an image with a line of text and reads it back with two compiled nets: `make demo`.

    examples/demo.py [--text TEXT] [--threads N] [--save image.png]

The nets are the detection and recognition models of the PyPI package rapidocr-onnxruntime; what stands around them is in
ocr.py. Ends with a table: what was compiled, how long it took, and how near the nets run to what the machine can do.
"""
import argparse
import resource
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "python"), str(Path(__file__).resolve().parent)]
import ocr
import tenon as tn
from tenon.cli import common

MODELS = {"detection": "ch_PP-OCRv4_det_infer.onnx", "recognition": "ch_PP-OCRv4_rec_infer.onnx"}


class Net:
    """A compiled net that remembers what it ran on."""

    def __init__(self, name, threads):
        self.name, self.path = name, ocr.model_directory() / MODELS[name]
        with common.progress(f"compiling the {name} net") as report:
            self.model = tn.compile(self.path, threads=threads, progress=report)
        self.arrays = None

    def __call__(self, array):
        self.arrays = [array]
        return self.model(array)

    def row(self):
        """Cells of the table: time is the best of a few calls."""
        best = min(self._timed() for _ in range(7))
        rows = self.model.profile(*self.arrays, runs=3)
        kernel_ms = sum(row["ms"] for row in rows)
        share = sum(row["roofline"] * row["ms"] for row in rows) / max(kernel_ms, 1e-9)
        info = self.model.info
        compiled = f"{info['seconds']:.2f}" + (" (cached)" if info["cached"] else "")
        shape = "x".join(map(str, self.arrays[0].shape))
        return [f"{self.name} {shape}", str(len(self.model.explain()["kernels"])), compiled, f"{best * 1e3:.1f}",
                f"{share:.0%}"]

    def _timed(self):
        start = time.perf_counter()
        self.model(*self.arrays)
        return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", default="Hello, compiled world!", help="what to draw (default: %(default)s)")
    parser.add_argument("--threads", type=common.positive, help="threads (default: all that may be used)")
    parser.add_argument("--save", metavar="FILE.png", help="keep the drawn image")
    options = parser.parse_args()

    import onnx

    console = common.console()
    image = ocr.draw(options.text)
    if options.save:
        from PIL import Image

        Image.fromarray(image).save(options.save)
    console.print(f"drew    : {options.text}", markup=False, highlight=False)
    nets = []
    for name in MODELS:
        console.print(f"net     : {name} ({MODELS[name]})", highlight=False)
        nets.append(Net(name, options.threads))
    alphabet = ocr.characters(onnx.load(nets[1].path))
    lines = ocr.read(image, nets[0], nets[1], alphabet)
    console.print(f"read    : {' | '.join(lines)}", markup=False, highlight=False)
    shown = common.table(None, ["model", ">kernels", ">compile s", ">run ms", ">share of roofline"])
    for net in nets:
        if net.arrays is None:
            console.print(f"[red]the {net.name} net was not reached: nothing was found in the image[/]")
            return 1
        shown.add_row(*net.row())
    console.print(shown)
    console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB (with Python, NumPy, "
                  "Pillow)", highlight=False)
    if lines != [options.text]:
        console.print("[red]the text read differs from the text drawn[/]")
        return 1
    console.print("[green]the text read is the text drawn[/]")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tn.Error, ImportError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
