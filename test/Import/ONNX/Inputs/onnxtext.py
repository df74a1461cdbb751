#!/usr/bin/env python3
"""Writes the ONNX models of a test file: every line `// MODEL: name` starts one in ONNX's text form, up to `// END`.

  onnxtext.py TEST OUTDIR      writes OUTDIR/name.onnx; with `// BYTES: name FROM COUNT`, name.onnx is the first COUNT
                               bytes of model FROM
"""
import os
import sys

import onnx.parser


def main():
    test, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    name, text = None, []
    with open(test) as f:
        for line in f:
            words = line.split()
            if line.startswith("// MODEL:"):
                name, text = words[2], []
            elif line.startswith("// END"):
                model = onnx.parser.parse_model("".join(text))
                with open(os.path.join(folder, name + ".onnx"), "wb") as out:
                    out.write(model.SerializeToString())
                name = None
            elif line.startswith("// BYTES:"):
                with open(os.path.join(folder, words[3] + ".onnx"), "rb") as whole:
                    data = whole.read()
                with open(os.path.join(folder, words[2] + ".onnx"), "wb") as out:
                    out.write(data[: int(words[4])])
            elif name:
                text.append(line)


main()
