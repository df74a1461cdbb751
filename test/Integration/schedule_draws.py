#!/usr/bin/env python3
"""Drawn candidates of the schedule spaces of drawn kernels: each compiles and gives the right numbers, for AVX2 and AVX-512 code.

A case is a program of one of the other scripts: a contraction, a convolution (direct, by Winograd's algorithm and by Fourier transforms), an attention, a
matmul of groups, a mixture of experts, a matmul that decodes its weights. For each of its kernels `--samples` candidates are
drawn (`tn.schedule_spaces`); the program is compiled once with the first of each kernel, once with the second, and so on. With
`--change` fields of these are changed at random, as by hand: such a schedule is refused by a message that names it, or right.
`--only CASE` runs one case; a schedule that fails is printed with it.
"""
import argparse
import concurrent.futures
import multiprocessing
import os
import random
import re
import sys
import tempfile

import numpy as np

import contract_draws
import conv_draws
from attention_draws import FAMILIES as ATTENTION
from draws import Family, make
from format_draws import FAMILIES as FORMATS
from moe_draws import FAMILIES as EXPERTS


class Contraction:
    """A drawn sum of products: exact."""

    def __init__(self, choice, seed):
        self.case = contract_draws.Case(seed, choice["reduction"] == "long")
        self.arguments = self.case.arguments()
        self.expected = self.case.expected(self.arguments)
        self.archive = self.arguments.pop("lr".index(self.case.weight)).tobytes() if self.case.weight else b""
        self.title = f"contraction {seed}"

    def mlir(self, archive):
        return self.case.mlir(archive)

    def problem(self, results):
        result = results[0]
        if result.shape != self.expected.shape:
            return f"shape {result.shape} for {self.expected.shape}"
        return "" if np.array_equal(result, self.expected) else f"{np.count_nonzero(result != self.expected)} of {result.size} differ"


class Convolution:
    """A drawn convolution of small integers: exact."""

    archive = b""

    def __init__(self, choice, seed):
        self.case, self.title = conv_draws.Case(seed), f"convolution {seed}"
        self.arguments = [self.view(array) for array in self.case.arguments()]
        self.expected = self.case.expected()

    def view(self, array):
        if self.case.dtype != "bf16":
            return array
        import ml_dtypes

        return array.view(ml_dtypes.bfloat16)

    def mlir(self, archive):
        return self.case.mlir()

    def problem(self, results):
        result = results[0]
        return conv_draws.compare(result.view(np.uint16) if self.case.result_dtype == "bf16" else result, self.expected) or ""


class Fast:
    """A convolution by Winograd's algorithm or Fourier transforms: within its bound."""

    archive = b""

    def __init__(self, choice, seed):
        self.case, self.title = conv_draws.FastCase(seed), f"fast convolution {seed}"
        self.arguments = self.case.arguments()

    def mlir(self, archive):
        return self.case.mlir()

    def problem(self, results):
        if list(results[0].shape) != self.case.result_shape:
            return f"shape {results[0].shape} for {self.case.result_shape}"
        error = self.case.error(results[0])
        return "" if error <= self.case.BOUNDS[self.case.algorithm] else f"error {error:.2e}"


def one(families, name):
    return next(family for family in families if family.name == name)


NONE = {"kind": ("drawn", "drawn again")}
FAMILIES = (Family("contraction", {"reduction": ("short", "long"), **NONE}, Contraction), Family("convolution", NONE, Convolution),
            Family("fast", NONE, Fast), one(ATTENTION, "attention"), one(EXPERTS, "grouped_matmul"), one(EXPERTS, "moe"),
            one(FORMATS, "named"))


def change(text, r):
    """The text of a schedule with one to three numbers, lists or fields that are others."""
    fields = [field.split(" = ") for field in re.findall(r"\w+ = (?:\[.*?\]|[^,>]+)", text)]
    for _ in range(r.randint(1, 3)):
        field = r.choice([field for field in fields if field[0] not in ("algorithm", "version")])
        numbers = [int(n) for n in re.findall(r"-?\d+", field[1])]
        if field[1][0] != "[":
            field[1] = str(r.choice((1, 2, 4, 8, 16, 32, 64)) if field[0] == "vector_width" else r.randint(0, 3))
        elif numbers:
            numbers[r.randrange(len(numbers))] = r.choice((0, 0, 1, 1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 32, 48, 64, 100))
            field[1] = str(numbers)
    rank = max((len(re.findall(r"\d+", value)) for name, value in fields if name in ("parallel", "register")), default=0)
    names = {name for name, _ in fields}
    if rank and r.random() < 0.3 and "cache" not in names:
        fields.append(["cache", str([r.choice((0, 0, 3, 8, 16, 64)) for _ in range(rank)])])
    if rank and r.random() < 0.3:
        fields.append(["order", str(r.sample(range(rank), rank))])
    if r.random() < 0.2 and "pack" not in names:
        fields.append(["pack", r.choice(("[0]", "[1]", "[0, 1]"))])
    return "#tenon.schedule<" + ", ".join(" = ".join(field) for field in fields) + ">"


def run_case(seed, samples, changes, targets, number):
    """(family, title, [(target, schedules tried, refused ones, problems)]); a case that is refused as it is has no schedules."""
    import tenon as tn

    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        family, _, case = make(FAMILIES, seed, number)
        path, archive = os.path.join(folder, "case.mlir"), os.path.join(folder, "case.bin")
        with open(path, "w") as file:
            file.write(case.mlir(archive))
        with open(archive, "wb") as file:
            file.write(case.archive)
        precision, ends, r = "fast" if family.name == "fast" else "reorder", [], random.Random(seed * 100000 + number)
        for target in targets:
            tried, refused, problems = 0, 0, []
            try:
                spaces = tn.schedule_spaces(path, target, precision, best=0, samples=samples, seed=number)
            except tn.Error:
                spaces = {}  # what the script of its family reports
            for position in range(samples):
                schedules = {name: space["samples"][position]["schedule"] for name, space in spaces.items() if position < len(space["samples"])}
                if not schedules:
                    break
                if changes:  # one kernel's: others would hide whether it is obeyed
                    name = r.choice(list(schedules))
                    schedules = {name: change(schedules[name], r)}
                tried += len(schedules)
                try:
                    results = tn.compile(path, target, 1, precision, schedules=schedules, cache=False)(*case.arguments)
                    problem = case.problem(list(results) if isinstance(results, (list, tuple)) else [results])
                except tn.Error as error:
                    problem = str(error).splitlines()[0]
                    if changes and re.search(r"the schedule (that is )?given (by the name|for) '", problem):
                        refused, problem = refused + 1, ""
                if problem:
                    problems.append((problem, schedules))
            ends.append((target, tried, refused, problems))
        return family.name, case.title, ends


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=70, help="cases of all families")
    parser.add_argument("--samples", type=int, default=3, help="candidates of each kernel")
    parser.add_argument("--change", action="store_true", help="change fields of the candidates at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--family", choices=[family.name for family in FAMILIES], help="only cases of this one")
    parser.add_argument("--targets", default="host,x86-64-v3")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    numbers = range(options.count) if options.only is None else [options.only]
    numbers = [number for number in numbers if options.family in (None, FAMILIES[number % len(FAMILIES)].name)]
    tried, refused, wrong, names = 0, 0, 0, set()
    context = multiprocessing.get_context("spawn")
    while numbers:
        # A case that kills its process ends the pool: it is named, and the others go on in another one.
        with concurrent.futures.ProcessPoolExecutor(options.jobs, context) as pool:
            running = {number: pool.submit(run_case, options.seed, options.samples, options.change, options.targets.split(","), number)
                       for number in numbers}
            left = []
            for number, future in running.items():
                try:
                    name, title, ends = future.result()
                except concurrent.futures.process.BrokenProcessPool:
                    left.append(number)
                    continue
                for target, count, refusals, problems in ends:
                    tried += count
                    refused += refusals
                    names |= {name} if count else set()
                    for problem, schedules in problems:
                        wrong += 1
                        print(f"case {number} for {target} ({title}): {problem}", *(f"\n  {k}: {v}" for k, v in schedules.items()), flush=True)
        if left:
            wrong += 1
            print(f"case {left[0]} kills its process" + (f", or one of the next {options.jobs - 1}" if options.jobs > 1 else ""), flush=True)
        numbers = left[1:]
    print(f"{tried} schedules of {len(names)} families, {refused} refused, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
