#!/usr/bin/env python3
"""Runs the test suites, shows what fails, and ends with one line: `N passed, N failed`.

    tools/dev/run_tests.py                 everything
    tools/dev/run_tests.py --only lit,lint some suites
    tools/dev/run_tests.py --quick         lit and unit tests of the rooms that the working tree changes
    tools/dev/run_tests.py --list          the suites and what they are

Where the machine has AVX-512, the suites that execute compiled models run twice: as the machine is, and again with
TENON_TARGET=x86-64-v3, which compiles for AVX2.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("TENON_BUILD", ROOT / "build"))
VENV = ROOT / ".venv" / "bin"
TTY = sys.stdout.isatty()


class Tally:
    """What passed and failed, by suite; a suite that could not run at all counts as one failure."""

    def __init__(self):
        self.rows = []

    def add(self, suite, passed, failures, skipped=0, seconds=0.0):
        self.rows.append((suite, passed, list(failures), skipped, seconds))
        mark = "ok" if not failures else "FAILED"
        more = f", {skipped} skipped" if skipped else ""
        print(f"-- {suite}: {passed} passed, {len(failures)} failed{more} ({seconds:.0f} s) {mark}", flush=True)

    def finish(self):
        passed = sum(row[1] for row in self.rows)
        failed = sum(len(row[2]) for row in self.rows)
        if failed:
            print("\nFailures:")
            for suite, _, failures, _, _ in self.rows:
                for failure in failures:
                    print(f"  {suite}: {failure}")
        skipped = sum(row[3] for row in self.rows)
        if skipped:
            print(f"{skipped} tests were skipped; each says why in its suite's output")
        print(f"{passed} passed, {failed} failed", flush=True)
        return 1 if failed or not passed else 0


def environment(**extra):
    env = dict(os.environ)
    paths = [str(ROOT / "python"), str(BUILD / "python")]
    if env.get("PYTHONPATH"):
        paths.append(env["PYTHONPATH"])
    env["PYTHONPATH"] = os.pathsep.join(paths)
    env["PATH"] = os.pathsep.join([str(BUILD / "bin"), str(VENV), env["PATH"]])
    env.update(extra)
    return env


def stream(command, env=None, keep=None):
    """Runs a command with its output passed on line by line; returns (exit code, output)."""
    lines = []
    process = subprocess.Popen([str(word) for word in command], cwd=ROOT, env=env or environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in process.stdout:
        lines.append(line)
        if keep is None or keep(line):
            sys.stdout.write("   " + line)
            sys.stdout.flush()
    return process.wait(), "".join(lines)


def heading(text):
    print(f"\n== {text}", flush=True)


def has_avx512():
    try:
        return " avx512f " in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def run_lit(tally, paths=None):
    heading("lit")
    start = time.time()
    lit, result = VENV / "lit", BUILD / "lit-result.json"
    if not lit.exists():
        return tally.add("lit", 0, ["lit is not installed in .venv: run 'make setup'"])
    result.unlink(missing_ok=True)
    code, _ = stream([lit, "-v", "-o", result, *(paths or [ROOT / "test"])],
                     keep=lambda line: not line.startswith(("PASS:", "-- Testing")))
    if not result.exists():
        return tally.add("lit", 0, [f"lit ended with {code} and wrote no result"], seconds=time.time() - start)
    tests = json.loads(result.read_text()).get("tests", [])
    passed = sum(test["code"] in ("PASS", "XFAIL", "FLAKYPASS") for test in tests)
    skipped = sum(test["code"] in ("UNSUPPORTED", "SKIPPED", "EXCLUDED") for test in tests)
    failures = [test["name"] for test in tests if test["code"] not in
                ("PASS", "XFAIL", "FLAKYPASS", "UNSUPPORTED", "SKIPPED", "EXCLUDED")]
    tally.add("lit", passed, failures, skipped, time.time() - start)


def run_unit(tally, names=None):
    heading("GoogleTest")
    programs = sorted(path for path in (BUILD / "unit").glob("*") if os.access(path, os.X_OK) and path.is_file())
    for program in programs:
        if names is not None and program.name not in names:
            continue
        start, report = time.time(), BUILD / "unit" / f"{program.name}.xml"
        report.unlink(missing_ok=True)
        code, _ = stream([program, f"--gtest_output=xml:{report}", "--gtest_brief=1"])
        suite = f"unit/{program.name}"
        if not report.exists():
            tally.add(suite, 0, [f"ended with {code} and wrote no result"], seconds=time.time() - start)
            continue
        passed, failures, skipped = 0, [], 0
        for case in xml.parse(report).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                failures.append(name)
            elif case.find("skipped") is not None or case.get("result") == "skipped":
                skipped += 1
            else:
                passed += 1
        if code and not failures:
            failures.append(f"ended with {code}")
        tally.add(suite, passed, failures, skipped, time.time() - start)


def run_pytest(tally, label, arguments, **extra):
    heading(label)
    start, report = time.time(), BUILD / f"{label.replace(' ', '-').replace('/', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [VENV / "python", "-m", "pytest", "-ra", "--tb=short", f"--junitxml={report}", "-p", "no:cacheprovider",
               "--color=no", *arguments]
    code, _ = stream(command, environment(**extra))
    if not report.exists():
        return tally.add(label, 0, [f"pytest ended with {code} and wrote no result"], seconds=time.time() - start)
    passed, failures, skipped = 0, [], 0
    for case in xml.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failures.append(name)
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    if code not in (0, 5) and not failures:
        failures.append(f"pytest ended with {code}")
    tally.add(label, passed, failures, skipped, time.time() - start)


def run_script(tally, label, command):
    """A script counts as one test, or as many as its line `N checks, M problems` says."""
    heading(label)
    start = time.time()
    code, output = stream(command)
    match = re.search(r"^(\d+) checks, (\d+) problems$", output, re.M)
    checks, problems = (int(match[1]), int(match[2])) if match else (1, int(code != 0))
    if code and not problems:
        problems = 1
    tally.add(label, max(checks - problems, 0), [f"see above ({index + 1})" for index in range(problems)],
              seconds=time.time() - start)


def changed_rooms():
    """Rooms with changes in the working tree or in commits that origin does not have."""
    output = ""
    for command in (["git", "diff", "--name-only", "HEAD"], ["git", "ls-files", "-o", "--exclude-standard"],
                    ["git", "diff", "--name-only", "@{upstream}...HEAD"]):
        output += subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    rooms = set()
    for name in output.split():
        parts = Path(name).parts
        if parts[:2] == ("include", "tenon") and len(parts) > 3:
            rooms.add(parts[2])
        elif parts[0] in ("lib", "test") and len(parts) > 2:
            rooms.add(parts[2] if parts[1] == "Unit" and len(parts) > 3 else parts[1])
    return rooms


def main():
    suites = {
        "lit": "FileCheck tests of passes, ops and tools (test/**.mlir)",
        "unit": "GoogleTest programs (test/Unit)",
        "python": "pytest (test/python), on the code this machine runs fastest",
        "python-avx2": "the pytest suites that execute models, again with TENON_TARGET=x86-64-v3",
        "lint": "tools/dev/lint.py",
        "docs": "docs/generated are up to date",
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="suites, separated by commas")
    parser.add_argument("--quick", action="store_true", help="lit and unit tests of changed rooms")
    parser.add_argument("--list", action="store_true", help="list the suites")
    parser.add_argument("-k", help="passed to pytest")
    arguments = parser.parse_args()
    if arguments.list:
        for name, text in suites.items():
            print(f"{name:12} {text}")
        return 0
    only = arguments.only.split(",") if arguments.only else list(suites)
    unknown = [name for name in only if name not in suites]
    if unknown:
        parser.error(f"unknown suite {unknown[0]!r}; there are: {', '.join(suites)}")
    tally = Tally()
    if arguments.quick:
        rooms = changed_rooms()
        print("changed rooms:", ", ".join(sorted(rooms)) or "none")
        paths = [ROOT / "test" / room for room in sorted(rooms) if (ROOT / "test" / room).is_dir()
                 and room not in ("Unit", "python")]
        if paths:
            run_lit(tally, paths)
        run_unit(tally, [program.name for program in (BUILD / "unit").glob("*")
                         if any(room in program.name for room in rooms)])
        return tally.finish() if tally.rows else print("nothing to run: no room has changes") or 0
    if "lit" in only:
        run_lit(tally)
    if "unit" in only:
        run_unit(tally)
    select = ["-k", arguments.k] if arguments.k else []
    if "python" in only:
        run_pytest(tally, "python", [ROOT / "test" / "python", *select])
    if "python-avx2" in only and has_avx512() and not os.environ.get("TENON_TARGET"):
        run_pytest(tally, "python-avx2", ["-m", "executes", ROOT / "test" / "python", *select],
                   TENON_TARGET="x86-64-v3")
    if "lint" in only:
        run_script(tally, "lint", [VENV / "python", "tools/dev/lint.py"])
    if "docs" in only:
        run_script(tally, "docs", [VENV / "python", "tools/dev/gen_docs.py", "--check"])
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
