#!/usr/bin/env python3
"""Checks the tree against docs/architecture.md and CONTRIBUTING.md; the last line is `N checks, M problems`.

    tools/dev/lint.py                      all checks
    tools/dev/lint.py --only sizes,format  some of them
    tools/dev/lint.py --list               what they are
"""
import argparse
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = {".h", ".c", ".cpp", ".td", ".py", ".mlir", ".cmake", ".sh", ".txt", ".md", ".toml"}
HARD, SOFT = 1000, 500

# Which rooms a room may name in its link list and include from, transitively lower ones included. This is the list of
# docs/architecture.md.
ROOMS = {
    "Support": [],
    "Dialect": ["Support"],
    "Reference": ["Dialect", "Support"],
    "Import": ["Dialect", "Support"],
    "Analysis": ["Dialect", "Support"],
    "Schedule": ["Analysis", "Dialect", "Support"],
    "Transforms": ["Schedule", "Analysis", "Dialect", "Support"],
    "Conversion": ["Transforms", "Schedule", "Analysis", "Dialect", "Support"],
    "Target": ["Conversion", "Transforms", "Schedule", "Analysis", "Dialect", "Support"],
    "Pipelines": ["Target", "Conversion", "Transforms", "Schedule", "Analysis", "Dialect", "Support"],
    "Runtime": ["Support"],
    "Driver": ["Pipelines", "Target", "Conversion", "Transforms", "Schedule", "Analysis", "Import", "Runtime",
               "Dialect", "Support"],
    "CAPI": ["Driver", "Runtime", "Reference", "Support"],
    "Reduce": ["Driver", "Pipelines", "Reference", "Import", "Dialect", "Support"],
}


def files(*suffixes):
    """Files that git knows or would take, by suffix."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in sorted(set(listed.stdout.splitlines())):
        path = ROOT / name
        if path.suffix in suffixes and path.is_file():
            yield path


def text(path):
    return path.read_text(errors="replace")


def short(path):
    return str(path.relative_to(ROOT))


def check_sizes(report):
    """no file over 1000 lines; those over 500 are listed"""
    long = []
    for path in files(*SOURCE):
        if "docs/generated" in short(path):
            continue
        count = text(path).count("\n")
        report.checked()
        if count > HARD:
            report(path, f"{count} lines; the limit is {HARD}: split it by family")
        elif count > SOFT:
            long.append((count, short(path)))
    for count, name in sorted(long, reverse=True):
        print(f"  note: {name} has {count} lines; most files stay under {SOFT}")


def check_format(report):
    """C and C++ are formatted by clang-format-22"""
    paths = list(files(".h", ".c", ".cpp"))
    try:
        run = subprocess.run(["clang-format-22", "--dry-run", "-Werror", *map(str, paths)], cwd=ROOT,
                             capture_output=True, text=True)
    except FileNotFoundError:
        report.checked()
        report(ROOT / ".clang-format", "clang-format-22 is not installed: run 'make setup'")
        return
    wrong = {line.split(":", 1)[0] for line in run.stderr.splitlines() if "error:" in line}
    for path in paths:
        report.checked()
        if str(path) in wrong:
            report(path, "not formatted: run 'make format'")


def check_passes(report):
    """each pass describes the IR before and after, and a lit test names it"""
    tests = "".join(text(path) for path in files(".mlir", ".test") if short(path).startswith("test/"))
    for path in files(".td"):
        for part in re.split(r"^(?=def )", text(path), flags=re.M):
            header = re.match(r'def \w+\s*:\s*(?:Interface)?Pass<"([\w-]+)"', part)
            if not header:
                continue
            report.checked()
            name = header[1]
            if not name.startswith("tenon-"):
                report(path, f"pass '{name}' should be named tenon-...")
            checker = name.startswith("tenon-check-") and "description" in part  # changes nothing: there is no "after"
            if not checker and ("Before:" not in part or "After:" not in part):
                report(path, f"pass '{name}' lacks a description with 'Before:' and 'After:' IR")
            if not re.search(rf"\b{name}\b", tests):
                report(path, f"pass '{name}' is in no lit test")


def _definitions():
    """(path, C++ class, mnemonic, numbers of its constraints) of ops, attributes and types."""
    for path in files(".td"):
        if "Dialect/IR" not in short(path):
            continue
        for part in re.split(r"^(?=(?:def|class) )", text(path), flags=re.M):
            op = re.match(r'def Tenon_(\w+)\s*:\s*Tenon_Op<"(\w+)"', part)
            attribute = re.match(r'def Tenon_(\w+)\s*:\s*Tenon_(?:Attr|Type)<"\w+",\s*"(\w+)"', part)
            found = op or attribute
            if found:
                yield path, found[1], found[2], [int(n) for n in re.findall(r"^\s*- \(C(\d+)\)", part, re.M)]


def check_constraints(report):
    """numbered constraints agree between .td, verifier and negative tests"""
    definitions = list(_definitions())
    classes = {name: mnemonic for _, name, mnemonic, _ in definitions}
    verified, tested, by_type = defaultdict(set), defaultdict(set), set()
    for path in files(".cpp"):
        if not short(path).startswith("lib/Dialect/"):
            continue
        current = None
        for line in text(path).splitlines():
            if line and not line[0].isspace() and line[0] not in "/#}":
                named = [name for name in re.findall(r"\w+", line) if name in classes]
                current = classes[named[0]] if named else current
            for number in re.findall(r"//.*?\(C(\d+)\)", line):
                verified[current].add(int(number))
            for mnemonic, number in re.findall(r"// (\w+)_c(\d+)\b", line):
                verified[mnemonic].add(int(number))
    for path in files(".mlir", ".cpp"):
        if not short(path).startswith("test/"):
            continue
        for mnemonic, number, marker in re.findall(r"// (\w+)_c(\d+)\b( by type)?", text(path)):
            tested[mnemonic].add(int(number))
            if marker:
                by_type.add((mnemonic, int(number)))
    for path, _, mnemonic, numbers in definitions:
        if numbers != list(range(1, len(numbers) + 1)):
            report(path, f"'{mnemonic}' numbers its constraints {numbers}; they should count from 1")
        for number in numbers:
            report.checked()
            if number not in verified[mnemonic] and (mnemonic, number) not in by_type:
                report(path, f"'{mnemonic}' (C{number}) has no '// (C{number})' in a verifier")
            if number not in tested[mnemonic]:
                report(path, f"'{mnemonic}' (C{number}) has no negative test '// {mnemonic}_c{number}'")
        for where, found in (("verifier", verified), ("tests", tested)):
            for number in sorted(found[mnemonic] - set(numbers)):
                report(path, f"'{mnemonic}' has no (C{number}), which the {where} mention{'s' * (where == 'verifier')}")


def check_messages(report):
    """every error message of the dialect occurs in a test"""
    tests = "".join(text(path) for path in files(".mlir", ".test", ".cpp", ".py") if short(path).startswith("test/"))
    expected = [part for part in re.findall(r"\{\{(.+?)\}\}", tests) if len(part) >= 10]
    for path in files(".cpp"):
        if not short(path).startswith("lib/Dialect/"):
            continue
        body = re.sub(r"//.*", "", text(path))
        for statement in re.finditer(r"emit(?:Op)?Error\s*\((?:[^;\"]|\"(?:\\.|[^\"\\])*\")*;", body):
            literals = re.findall(r'"((?:\\.|[^"\\])*)"', statement[0])
            if not literals:
                continue
            report.checked()
            fragment = max(literals, key=len).replace('\\"', '"').strip()
            if fragment not in tests and not any(part in fragment for part in expected):
                line = body.count("\n", 0, statement.start()) + 1
                report(path, f"line {line}: no test expects the error '{fragment}'")


def _room(name):
    """The room of a library ("TenonToLinalg" -> "Conversion")."""
    stem = name.removeprefix("Tenon")
    special = {"IR": "Dialect", "ToLinalg": "Conversion", "ToCPU": "Conversion", "TargetCPU": "Target",
               "ImportONNX": "Import", "Cache": "Support", "Manifest": "Support"}
    return special.get(stem, stem)


def check_edges(report):
    """rooms link and include only the rooms below them"""
    for path in files(".txt"):
        if path.name != "CMakeLists.txt" or not short(path).startswith("lib/"):
            continue
        for call in re.findall(r"tenon_library\((.*?)\)", text(path), re.S):
            words = call.split()
            room = path.relative_to(ROOT / "lib").parts[0]
            if room not in ROOMS or "DEPENDS" not in words:
                continue
            for word in words[words.index("DEPENDS") + 1:]:
                if word in ("LINK", "NO_MLIR", "EXCEPTIONS", "SOURCES"):
                    break
                report.checked()
                below = _room(word)
                if below != room and below not in ROOMS[room]:
                    report(path, f"{words[0]} may not depend on {word}: {room} is not above {below}")
    for path in files(".h", ".cpp"):
        parts = path.relative_to(ROOT).parts
        room = parts[2] if parts[:2] == ("include", "tenon") else parts[1] if parts[0] == "lib" else None
        if room not in ROOMS:
            continue
        for include in re.findall(r'#include "tenon/(\w+)/', text(path)):
            report.checked()
            if include != room and include in ROOMS and include not in ROOMS[room]:
                report(path, f"{room} may not include from {include}")


def check_words(report):
    """no paths of one machine, no TODO that does not say what would close it"""
    for path in files(*SOURCE, ""):
        if short(path) == "tools/dev/lint.py" or short(path) == "LICENSE":
            continue
        report.checked()
        for number, line in enumerate(text(path).splitlines(), 1):
            if re.search(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/", line):
                report(path, f"line {number}: a path of one machine")
            if re.search(r"\b(?:TODO|FIXME|XXX)\b", line) and not re.search(r"\b(?:once|when|until|after)\b", line):
                report(path, f"line {number}: a TODO names what would close it (once/when/until ...)")
            if len(line) > 200 and path.suffix in (".cpp", ".h"):
                report(path, f"line {number}: {len(line)} columns")


class Report:
    """Prints problems as they are found."""

    def __init__(self):
        self.checks, self.problems = 0, 0

    def checked(self):
        self.checks += 1

    def __call__(self, path, message):
        self.problems += 1
        print(f"  {short(path)}: {message}", flush=True)


def main():
    checks = {name.removeprefix("check_"): function for name, function in globals().items()
              if name.startswith("check_")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="checks, separated by commas")
    parser.add_argument("--list", action="store_true", help="list the checks")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(checks)
    for name in names:
        if name not in checks:
            parser.error(f"no check {name!r}; there are: {', '.join(checks)}")
    if arguments.list:
        for name in names:
            print(f"{name:12} {checks[name].__doc__}")
        return 0
    report = Report()
    for name in names:
        print(f"{name}: {checks[name].__doc__}", flush=True)
        checks[name](report)
    print(f"{report.checks} checks, {report.problems} problems")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
