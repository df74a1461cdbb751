"""The command line: `tenon run | generate | compile | bench | explain | doctor | cache`. One module per command."""
import argparse
import os
import sys
import warnings

from . import bench, cache, compile, doctor, explain, generate, run

COMMANDS = {"run": run, "generate": generate, "compile": compile, "bench": bench, "explain": explain, "doctor": doctor,
            "cache": cache}

EPILOG = """examples:
  tenon run model.onnx                          compile, feed random inputs, show the outputs
  tenon run model.onnx --input x=image.npy      feed arrays, --save DIR keeps the outputs
  tenon compile model.onnx -o model.so          a shared object that runs without a compiler
  tenon generate model.gguf --prompt "Once"     continue a text with a language model
  tenon bench model.onnx --against onnxruntime  time it beside another runtime, fairly
  tenon explain model.onnx                      what became of it: kernels, schedules, time, roofline
  tenon doctor                                  what was found on this machine and what is missing

`tenon COMMAND --help` says more. TENON_TARGET=x86-64-v3 compiles for AVX2 on any machine; TENON_CACHE_DIR moves the cache."""


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="tenon", description="Compiles ONNX and GGUF models to machine code and runs them.",
                                     epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, module in COMMANDS.items():
        text = module.__doc__.strip()
        sub = commands.add_parser(name, help=text.splitlines()[0], description=text,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(sub)
        sub.set_defaults(run=module.main)
    options = parser.parse_args(arguments)
    if not options.command:
        parser.print_help()
        return 2
    from .. import errors

    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        return options.run(options) or 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (errors.Error, ImportError, OSError, MemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
