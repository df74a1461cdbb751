"""What the scripts of drawn programs share: they build each case of their families, run it compiled, and count pairs of axis values.

A case has a `title`, its text by `mlir(archive)`, the bytes of that `archive` of weights, `arguments`, and `problem(results)`:
what is wrong with the results, "" where nothing is. Case n is one of family n mod (number of families).
"""
import argparse
import functools
import multiprocessing
import os
import re
import sys
import tempfile
from typing import Callable, NamedTuple

import numpy as np

from pairs import all_pairs, choose, design, pairs_of

ENDS = ("equal", "wrong", "refused")


class Family(NamedTuple):
    name: str
    axes: dict  # of named values, each a tuple
    make: Callable  # of a choice, {axis: value}, and a seed: a case
    refusals: tuple = ()  # regular expressions of messages by which the compiler may refuse a case


_DESIGNS = {}


def designed(family, seed):
    """The choices in which every two values of two axes meet."""
    if (family.name, seed) not in _DESIGNS:
        _DESIGNS[family.name, seed] = design(family.axes, seed)
    return _DESIGNS[family.name, seed]


def make(families, seed, number):
    """The family of case `number`, its choice, and the case."""
    family = families[number % len(families)]
    choice = choose(family.axes, seed, number // len(families), designed(family, seed))
    return family, choice, family.make(choice, seed * 100000 + number)


def run(family, case, path, threads, target):
    """How a case ends, and what there is to say."""
    import tenon

    try:
        model = tenon.compile(path, threads=threads, target=target)
    except tenon.Error as error:
        message = str(error).splitlines()[0]
        return ("refused" if any(re.search(pattern, message) for pattern in family.refusals) else "wrong"), message
    try:
        results = model(*case.arguments)
    except tenon.Error as error:
        return "wrong", str(error).splitlines()[0]
    problem = case.problem(list(results) if isinstance(results, (list, tuple)) else [results])
    return ("wrong" if problem else "equal"), problem


def run_case(families, seed, threads, targets, number):
    """Number and title of a case, its family's name, its choice, and how it ends for each target: (target, end, message)."""
    with tempfile.TemporaryDirectory() as folder, np.errstate(over="ignore"):
        family, choice, case = make(families, seed, number)
        path, archive = os.path.join(folder, f"{family.name}{number}.mlir"), os.path.join(folder, f"{family.name}{number}.bin")
        with open(path, "w") as file:
            file.write(case.mlir(archive))
        with open(archive, "wb") as file:
            file.write(case.archive)
        return number, case.title, family.name, choice, [(target, *run(family, case, path, threads, target)) for target in targets]


def main(description, families, count, threads=1, measure=None):
    """The script. `measure(targets, threads)` is what `--time` does."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count, help="cases of all families")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="CASE", help="run one case")
    parser.add_argument("--print", type=int, metavar="CASE", help="print one case and stop")
    parser.add_argument("--list", action="store_true", help="print the cases")
    parser.add_argument("--family", choices=[family.name for family in families], help="only cases of this one")
    if measure:
        parser.add_argument("--time", action="store_true", help="time a few programs instead")
        parser.add_argument("--threads", type=int, default=1, help="of what is timed")
    parser.add_argument("--targets", default="host,x86-64-v3")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    targets = options.targets.split(",")
    if measure and options.time:
        return measure(targets, options.threads)
    if options.print is not None:
        print(make(families, options.seed, options.print)[2].mlir("weights.bin"))
        return 0

    counts = dict.fromkeys(ENDS, 0)
    covered = {family.name: {end: set() for end in ENDS} for family in families}
    axes = {family.name: family.axes for family in families}
    numbers = range(options.count) if options.only is None else [options.only]
    numbers = [number for number in numbers if options.family in (None, families[number % len(families)].name)]
    work = functools.partial(run_case, families, options.seed, threads, targets)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for number, title, name, choice, ends in pool.imap(work, numbers):
            if options.list:
                print(number, title, flush=True)
            for target, end, message in ends:
                counts[end] += 1
                covered[name][end] |= pairs_of(choice, axes[name])
                if end != "equal":
                    print(f"case {number} for {target} {end} ({title}): {message}", flush=True)
    for family in families:
        pairs = covered[family.name]
        if any(pairs.values()):
            bad = pairs["wrong"]
            print(f"{family.name} pairs: {len(pairs['equal'] - bad)} equal, {len(bad)} in a wrong case, "
                  f"{len(pairs['refused'] - pairs['equal'] - bad)} only refused, of {len(all_pairs(family.axes))}; "
                  f"{len(designed(family, options.seed))} cases meet all")
    print(f"{counts['equal']} equal, {counts['wrong']} wrong, {counts['refused']} refused, of {sum(counts.values())}")
    return 1 if counts["wrong"] else 0
