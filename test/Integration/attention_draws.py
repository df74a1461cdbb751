#!/usr/bin/env python3
"""Generated attentions: compiled code against NumPy in float64, for AVX2 and AVX-512 code.

The first cases are a covering design of the axes in attention/case.py (score, mask, normalizer, heads, storage, lengths, iteration,
dtype, shape, dims, sources, results): every two values of two axes meet in one of them. More, up to `--count`, are drawn. A case that the
compiler refuses by a message of attention/refusals.py counts apart. `--list` prints the cases.
"""
import argparse
import functools
import multiprocessing
import os
import sys
import tempfile

import numpy as np

from attention.case import AXES, Case
from attention.pairs import all_pairs, choose, design, pairs_of
from attention.refusals import is_refusal
from attention.timing import measure


def run(path, case, target):
    """How a case ends: "equal", "wrong" or "refused", and what there is to say."""
    import tenon

    arguments = case.arguments()
    expected = case.expected(arguments)
    try:
        model = tenon.compile(path, threads=1, target=target)
    except tenon.Error as error:
        message = str(error).splitlines()[0]
        return ("refused" if is_refusal(message) else "wrong"), message
    try:
        results = model(*arguments.values())
    except tenon.Error as error:
        return "wrong", str(error).splitlines()[0]
    results = [np.asarray(result, np.float64) for result in (results if isinstance(results, (list, tuple)) else [results])]
    for result, right in zip(results, expected, strict=True):
        finite = np.isfinite(right)  # of nothing, a log-sum-exp is -inf
        if result.shape != right.shape or not np.array_equal(result[~finite], right[~finite]):
            return "wrong", "of another shape, or finite elsewhere"
        worst = np.abs(result[finite] - right[finite]).max(initial=0)
        if not worst <= case.tolerance(right[finite]):
            return "wrong", f"off by {worst:.3g}"
    return "equal", ""


@functools.cache
def designed(seed):
    return design(AXES, seed)


def make(seed, number):
    return Case(choose(AXES, seed, number, designed(seed)), seed * 100000 + number)


def run_case(seed, targets, number):
    """Number and title of a case, its choice, and how it ends for each target: (target, end, message)."""
    case = make(seed, number)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"attention{number}.mlir")
        with open(path, "w") as file:
            file.write(case.mlir())
        return number, case.title(), case.choice, [(target, *run(path, make(seed, number), target)) for target in targets]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--time", action="store_true", help="time a few attentions instead")
    parser.add_argument("--threads", type=int, default=1, help="of what is timed")
    parser.add_argument("--targets", default="host,x86-64-v3")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    if options.time:
        return measure(options.targets.split(","), options.threads)
    if options.print is not None:
        print(make(options.seed, options.print).mlir())
        return 0

    counts, covered = {"equal": 0, "wrong": 0, "refused": 0}, {"equal": set(), "wrong": set(), "refused": set()}
    numbers = range(options.count) if options.only is None else [options.only]
    work = functools.partial(run_case, options.seed, options.targets.split(","))
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for number, title, choice, ends in pool.imap(work, numbers):
            if options.list:
                print(number, title, flush=True)
            for target, end, message in ends:
                counts[end] += 1
                covered[end] |= pairs_of(choice, AXES)
                if end != "equal":
                    print(f"case {number} for {target} {end} ({title}): {message}", flush=True)
    bad = covered["wrong"]
    print(f"pairs: {len(covered['equal'] - bad)} equal, {len(bad)} in a wrong case, {len(covered['refused'] - covered['equal'] - bad)} "
          f"only refused, of {len(all_pairs(AXES))}; {len(designed(options.seed))} cases meet all")
    print(f"{counts['equal']} equal, {counts['wrong']} wrong, {counts['refused']} refused, of {sum(counts.values())}")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
