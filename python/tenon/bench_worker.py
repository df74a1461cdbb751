"""One runtime in a process of its own, driven by `tenon bench` over pipes: a JSON object a line each way.

    python -m tenon.bench_worker RUNTIME MODEL THREADS SHAPES INPUTS

SHAPES is JSON; INPUTS an .npz file, which the runtime `tenon` writes and the others read. The first line out says what
loading took and which calls there are ("run", or "prefill" and "decode" of a language model); then each line in is
{"seconds": s, "call": name} (time such calls for that long) or {"save": path} (write the outputs).
"""
import json
import os
import resource
import sys
import time

import numpy as np


def _tenon(path, threads, shapes, inputs):
    import tenon as tn

    model = tn.compile(path, threads=threads, shapes=shapes)
    arrays = {value.name: array for value, array in zip(model.inputs, model.random_inputs())}
    np.savez(inputs, **{f"i{index}": array for index, array in enumerate(arrays.values())},
             names=np.array(list(arrays)))
    values = list(arrays.values())
    rows = model.profile(*values, runs=3)
    work = {"flops": sum(row["flops"] for row in rows), "bytes": sum(row["bytes"] for row in rows), "kernels": len(rows)}
    names = [value.name for value in model.outputs]

    def call():
        results = model(*values)
        return dict(zip(names, results if isinstance(results, tuple) else (results,)))

    return {"run": call}, {**work, "cached": model.info["cached"], "version": tn.version()}


def _read(inputs):
    with np.load(inputs) as file:
        return {str(name): file[f"i{index}"] for index, name in enumerate(file["names"])}


def _onnxruntime(path, threads, shapes, inputs):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    arrays = _read(inputs)
    names = [value.name for value in session.get_outputs()]
    return {"run": lambda: dict(zip(names, session.run(None, arrays)))}, {"version": onnxruntime.__version__}


def _openvino(path, threads, shapes, inputs):
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


def _tenon_language(path, threads, shapes, inputs):
    import tenon as tn
    from tenon.models.llama import Llama

    model = Llama(path, threads=threads)

    def rewind(count):
        model.length = count

    return _language(model.last_logits, rewind, {"version": tn.version()})


def _llama_cpp(path, threads, shapes, inputs):
    import llama_cpp

    model = llama_cpp.Llama(path, n_ctx=2048, n_batch=PROMPT, n_threads=threads, n_threads_batch=threads, verbose=False)

    def rewind(count):
        model.n_tokens = count  # eval drops what the cache holds behind it

    def evaluate(tokens):
        model.eval(tokens)
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),))

    return _language(evaluate, rewind, {"version": llama_cpp.__version__})


RUNTIMES = {"tenon": _tenon, "onnxruntime": _onnxruntime, "openvino": _openvino}
LANGUAGE_RUNTIMES = {"tenon": _tenon_language, "llama.cpp": _llama_cpp}


def main():
    # Only this process's replies go to the parent; what libraries print goes to standard error.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(**message):
        print(json.dumps(message), file=replies, flush=True)

    runtime, path, threads, shapes, inputs = sys.argv[1:]
    try:
        start = time.perf_counter()
        known = LANGUAGE_RUNTIMES if path.endswith(".gguf") else RUNTIMES
        calls, facts = known[runtime](path, int(threads), json.loads(shapes), inputs)
        for call in calls.values():
            call()
        reply(load_s=time.perf_counter() - start, calls=list(calls), **facts)
        for line in sys.stdin:
            request = json.loads(line)
            if "save" in request:
                np.savez(request["save"], *[np.asarray(array) for array in next(iter(calls.values()))().values()])
                reply(peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
                continue
            call = calls[request["call"]]
            times, end = [], time.perf_counter() + request["seconds"]
            while True:
                begin = time.perf_counter()
                call()
                done = time.perf_counter()
                times.append(done - begin)
                if done > end and len(times) >= 3:
                    break
            reply(min_s=min(times), runs=len(times))
    except Exception as error:  # whatever a runtime raises is a row of the table, not a traceback
        reply(error=f"{type(error).__name__}: {error}".splitlines()[0][:300])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
