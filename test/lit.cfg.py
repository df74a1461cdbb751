# The lit suites: .mlir, .test and .td files under test/. `tools/dev/run_tests.py --only lit` runs them all,
# `.venv/bin/lit test/Dialect` runs some. TENON_BUILD names another build folder.
import os
import shutil

import lit.formats

source = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
build = os.environ.get("TENON_BUILD", os.path.join(source, "build"))
llvm_bin = "/usr/lib/llvm-22/bin"

config.name = "tenon"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Unit", "python", "Inputs", "lib", "Fuzz"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(build, "lit")

path = [os.path.join(build, "bin"), llvm_bin, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
config.environment["PYTHONPATH"] = os.pathsep.join([os.path.join(source, "python"), os.path.join(build, "python")])
config.environment["TENON_CACHE_DIR"] = os.path.join(build, "lit", "cache")
for name in ("HOME", "TENON_TARGET"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%build", build))
config.substitutions.append(("%tenon_src", source))
config.substitutions.append(("%python", os.path.join(source, ".venv", "bin", "python")))

# Features: what the machine can run, and which programs are built.
flags = ""
try:
    with open("/proc/cpuinfo") as info:
        flags = next((line for line in info if line.startswith("flags")), "")
except OSError:
    pass
for feature in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni"):
    if feature in flags.split():
        config.available_features.add(feature)
for tool in ("tenon-opt", "tenon-import", "tenon-run", "tenon-reduce", "tenon-lsp-server"):
    if os.path.exists(os.path.join(build, "bin", tool)):
        config.available_features.add(tool)
if shutil.which("clang-22"):
    config.available_features.add("clang")
