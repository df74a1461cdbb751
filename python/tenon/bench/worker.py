"""One runtime in a process of its own, driven by `tenon bench` over pipes: a JSON object a line each way.

    python -m tenon.bench.worker RUNTIME MODEL THREADS SHAPES INPUTS FOLDER OPTIONS

SHAPES is JSON; INPUTS an .npz file, which the runtime `tenon` writes where there is none and the others read; FOLDER is for what a runtime makes;
OPTIONS is JSON: `precision` and `cache` of `tenon.compile`, for Tenon alone. The
first line out says what loading took and which calls there are ("run", or "prefill" and "decode" of a language model); then each
line in is {"seconds": s, "call": name} (time such calls for that long; "cores" of the answer is processor time by time) or
{"save": path} (write the outputs).
"""
import json
import os
import sys
import time

import numpy as np


def _tenon(path, threads, shapes, inputs, folder, **options):
    import tenon as tn

    start = time.perf_counter()
    model = tn.compile(path, threads=threads, shapes=shapes, **options)
    compile_s = time.perf_counter() - start
    if os.path.exists(inputs):
        arrays = _read(inputs)
    else:
        arrays = {value.name: array for value, array in zip(model.inputs, model.random_inputs())}
        save_inputs(inputs, arrays)
    values = [arrays[value.name] for value in model.inputs]
    start = time.perf_counter()
    model(*values)
    load_s = compile_s + time.perf_counter() - start
    rows = model.profile(*values, runs=3, peaks=(1, 1))  # for the counts; measuring peaks would count as this process's memory
    work = {"flops": sum(row["flops"] for row in rows), "bytes": sum(row["bytes"] for row in rows), "kernels": len(rows)}
    names = [value.name for value in model.outputs]

    def call():
        results = model(*values)
        return dict(zip(names, results if isinstance(results, tuple) else (results,)))

    return {"run": call}, {**work, "cached": model.info["cached"], "version": tn.version(), "load_s": load_s, "compile_s": compile_s}


def save_inputs(path, arrays):
    """Writes {name: array}; names may hold what no file's name may."""
    np.savez(path, **{f"i{index}": array for index, array in enumerate(arrays.values())}, names=np.array(list(arrays)))


def _read(inputs):
    with np.load(inputs) as file:
        return {str(name): file[f"i{index}"] for index, name in enumerate(file["names"])}


def _onnxruntime(path, threads, shapes, inputs, folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    arrays = _read(inputs)
    names = [value.name for value in session.get_outputs()]
    return {"run": lambda: dict(zip(names, session.run(None, arrays)))}, {"version": onnxruntime.__version__}


def _openvino(path, threads, shapes, inputs, folder):
    import openvino

    core = openvino.Core()
    arrays = _read(inputs)
    model = core.read_model(path)
    model.reshape({name: list(array.shape) for name, array in arrays.items()})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads,
                                                 "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()

    def call():
        request.infer(arrays, share_inputs=True)
        return {output.any_name: request.get_output_tensor(index).data for index, output in enumerate(compiled.outputs)}

    return {"run": call}, {"version": openvino.__version__.split("-")[0]}


def _jax(path, threads, shapes, inputs, folder):
    from . import jax_peer

    jax_peer.limit_threads(threads)
    import jax

    function, weights, names, outputs = jax_peer.load(path)
    arrays = _read(inputs)
    weights = jax.device_put(weights)
    feeds = jax.device_put({name: arrays[name] for name in names})
    compiled = jax.jit(function).lower(weights, feeds).compile()

    def call():
        return dict(zip(outputs, map(np.asarray, jax.block_until_ready(compiled(weights, feeds)))))

    return {"run": call}, {"version": jax.__version__}


def _iree(path, threads, shapes, inputs, folder):
    from importlib.metadata import version

    from . import iree_peer

    call = iree_peer.load(path, _read(inputs), threads, folder)
    return {"run": lambda: dict(enumerate(call()))}, {"version": version("iree-base-runtime")}


#: What is timed of a language model: a prompt, and tokens one by one behind a shorter one.
PROMPT, BEHIND, TOKENS = 512, 128, 32


def _language(evaluate, rewind, facts):
    """Calls of a language model: evaluate(tokens) gives the logits behind them, rewind(n) forgets all but n tokens."""
    tokens = [int(t) for t in np.random.default_rng(0).integers(100, 10000, PROMPT)]

    def prefill():
        rewind(0)
        return {"logits": np.array(evaluate(tokens))}

    def decode():
        rewind(BEHIND)
        for token in tokens[:TOKENS]:
            evaluate([token])

    prefill()  # fills what decode stands behind
    return {"prefill": prefill, "decode": decode}, {**facts, "tokens": {"prefill": PROMPT, "decode": TOKENS}}


def _tenon_language(path, threads, shapes, inputs, folder):
    import tenon as tn
    from tenon.models.llama import Llama

    model = Llama(path, threads=threads)

    def rewind(count):
        model.length = count

    return _language(model.last_logits, rewind, {"version": tn.version()})


def _llama_cpp(path, threads, shapes, inputs, folder):
    import llama_cpp

    model = llama_cpp.Llama(path, n_ctx=2048, n_batch=PROMPT, n_threads=threads, n_threads_batch=threads, verbose=False)

    def rewind(count):
        model.n_tokens = count  # eval drops what the cache holds behind it

    def evaluate(tokens):
        model.eval(tokens)
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),))

    return _language(evaluate, rewind, {"version": llama_cpp.__version__})


RUNTIMES = {"tenon": _tenon, "onnxruntime": _onnxruntime, "openvino": _openvino, "jax": _jax, "iree": _iree}
LANGUAGE_RUNTIMES = {"tenon": _tenon_language, "llama.cpp": _llama_cpp}


def _peak_bytes():
    """The most memory that this process held. Not getrusage's: that starts at what the parent held when it forked."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def main():
    # Only this process's replies go to the parent; what libraries print goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(**message):
        print(json.dumps(message), file=replies, flush=True)

    runtime, path, threads, shapes, inputs, folder, options = sys.argv[1:]
    try:
        start = time.perf_counter()
        known = LANGUAGE_RUNTIMES if path.endswith(".gguf") else RUNTIMES
        if runtime not in known:
            raise ValueError(f"{runtime} reads no {'language' if path.endswith('.gguf') else 'ONNX'} models here")
        if runtime != "tenon" and path.endswith(".mlir"):
            raise ValueError(f"{runtime} reads no Programs: a suite's row names an ONNX model of the same meaning in `variants`")
        calls, facts = known[runtime](path, int(threads), json.loads(shapes), inputs, folder,
                                      **(json.loads(options) if known[runtime] is _tenon else {}))
        for call in calls.values():
            call()
        reply(**{"load_s": time.perf_counter() - start, "calls": list(calls), **facts})
        for line in sys.stdin:
            request = json.loads(line)
            if "save" in request:
                np.savez(request["save"], *[np.asarray(array) for array in next(iter(calls.values()))().values()])
                reply(peak_bytes=_peak_bytes())
                continue
            call = calls[request["call"]]
            times, start, used = [], time.perf_counter(), time.process_time()
            end = start + request["seconds"]
            while True:
                begin = time.perf_counter()
                call()
                done = time.perf_counter()
                times.append(done - begin)
                if done > end and (len(times) >= 3 or done - start > 10):  # seconds: what is that slow varies less
                    break
            reply(min_s=min(times), runs=len(times), cores=(time.process_time() - used) / (done - start))
    except ImportError as error:
        package = {"jax": "jax[cpu]", "iree": "iree-base-compiler iree-base-runtime", "llama.cpp": "llama-cpp-python"}.get(runtime, runtime)
        reply(error=f"{error}; pip install {package}")
        return 1
    except Exception as error:  # whatever a runtime raises is a row of the table, not a traceback
        reply(error=f"{type(error).__name__}: {error}".splitlines()[0][:300])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
