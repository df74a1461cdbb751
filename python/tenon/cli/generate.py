"""continue a text with a language model from a GGUF file

Llama-family models with weights in F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q6_K, IQ4_NL or MXFP4; weights stay in the
file's format and are decoded in registers. Needs the packages gguf and tokenizers. The first start compiles; later ones
find the code in the cache.
"""
import json
import sys
import time

from . import common


def add_arguments(parser):
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("--prompt", default="", help="the text to continue")
    parser.add_argument("--prompt-tokens", type=common.positive, metavar="N",
                        help="instead of a text: N tokens, to measure with")
    parser.add_argument("-n", type=common.positive, default=64, metavar="N", help="tokens to make (default 64)")
    parser.add_argument("--context", type=common.positive, default=2048, help="most tokens in all (default 2048)")
    parser.add_argument("--threads", type=common.positive, help="default: all cores that this process may use")
    parser.add_argument("--greedy", action="store_true", help="take the likeliest token each time")
    parser.add_argument("--temperature", type=float, default=0.8, help="of sampling (default 0.8)")
    parser.add_argument("--seed", type=int, default=0, help="of sampling (default 0)")
    parser.add_argument("--json", action="store_true", help="print prefill_tokens_per_s, decode_tokens_per_s, tokens, load_s")


def main(options):
    import numpy as np

    from .. import errors
    from ..models.llama import Llama

    if not options.temperature > 0:
        raise errors.InvalidArgument(f"expected a temperature above 0, but got {options.temperature}; --greedy takes the likeliest")
    start = time.perf_counter()
    model = Llama(options.model, options.context, options.threads)
    tokenizer = model.file.tokenizer()
    if options.prompt_tokens:
        prompt = [int(t) for t in np.random.default_rng(options.seed).integers(3, model.vocabulary, options.prompt_tokens)]
    else:
        prompt = tokenizer.encode(options.prompt).ids or [max(model.file.get("tokenizer.ggml.bos_token_id", 0), 0)]
    rng = None if options.greedy else np.random.default_rng(options.seed)
    for warm in (prompt, prompt[:1]):  # both forms are compiled (or found) and loaded before the clock starts
        model.next_token(warm, rng, options.temperature)
        model.reset()
    load = time.perf_counter() - start

    tokens, shown, marks = [], "", [time.perf_counter()]
    if not options.json:
        print(options.prompt, end="", flush=True)
    for token in model.generate(prompt, options.n, rng, options.temperature):
        tokens.append(token)
        marks.append(time.perf_counter())
        text = tokenizer.decode(tokens)
        if not options.json and not text.endswith("\ufffd"):  # half of a character waits for the rest
            print(text[len(shown):], end="", flush=True)
            shown = text
    prefill, decode = marks[1] - marks[0], marks[-1] - marks[1]
    figures = {"prefill_tokens_per_s": len(prompt) / prefill,
               "decode_tokens_per_s": (len(tokens) - 1) / decode if len(tokens) > 1 else None, "tokens": tokens, "load_s": load}
    if options.json:
        print(json.dumps(figures))
        return
    rate = f", {figures['decode_tokens_per_s']:.1f} tokens/s after it" if len(tokens) > 1 else ""
    print(f"\n[{len(prompt)} tokens of prompt at {figures['prefill_tokens_per_s']:.1f} tokens/s{rate}; loaded in {load:.2f} s]", file=sys.stderr)
