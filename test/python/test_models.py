"""Real models: right outputs, compared with what others computed (rtol 1e-3, atol 1e-4)."""
import importlib.util
from pathlib import Path

import light_models
import node_suite
import numpy as np
import onnx
import pytest

pytestmark = pytest.mark.executes
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


def package_file(package, *parts):
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.fail(f"the package {package} is not installed: run 'make setup'")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


def onnxruntime_outputs(model, feeds):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds)))


def compare(got, want):
    assert list(got) == list(want)
    for name in want:
        assert got[name].dtype == want[name].dtype
        np.testing.assert_allclose(got[name], want[name], err_msg=name, **TOLERANCE)


@pytest.mark.parametrize("name", light_models.NAMES)
def test_light(tn, name):
    model = light_models.make(name, logits=True)
    compiled = tn.compile(model)
    value = compiled.inputs[0]
    feeds = {value.name: np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)}
    want = onnxruntime_outputs(model, feeds)
    assert all(array.std() > 1e-4 for array in want.values())
    compare(compiled.run(feeds), want)


@pytest.mark.parametrize("file, shapes", [
    ("ch_PP-OCRv4_det_infer.onnx", [(1, 3, 320, 640), (1, 3, 96, 160)]),
    ("ch_PP-OCRv4_rec_infer.onnx", [(1, 3, 48, 320), (2, 3, 48, 104)]),
    ("ch_ppocr_mobile_v2.0_cls_infer.onnx", [(1, 3, 48, 192), (3, 3, 48, 192)]),
])
def test_ocr(tn, file, shapes):
    """One compiled model serves all sizes."""
    model = onnx.load(package_file("rapidocr_onnxruntime", "models", file))
    compiled = tn.compile(model)
    for shape in shapes:
        feeds = {compiled.inputs[0].name: np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
        compare(compiled.run(feeds), onnxruntime_outputs(model, feeds))


def test_silero_vad(tn):
    """Voice activity over a few chunks, the state carried from call to call."""
    model = onnx.load(package_file("silero_vad", "data", "silero_vad.onnx"))
    compiled = tn.compile(model)
    rng = np.random.default_rng(0)
    for rate, samples in ((16000, 576), (8000, 288)):
        state = np.zeros((2, 1, 128), np.float32)
        for step in range(3):
            wave = (rng.standard_normal((1, samples)) * 0.1 * (step + 1)).astype(np.float32)
            feeds = {"input": wave, "state": state, "sr": np.array(rate, np.int64)}
            want = onnxruntime_outputs(model, feeds)
            compare(compiled.run(feeds), want)
            state = want["stateN"]


KINDS = ["simple", "pytorch-converted", "pytorch-operator"]


@pytest.mark.parametrize("kind", KINDS)
def test_stored_outputs(tn, kind, tmp_path):
    """The package's own cases against their stored outputs; string, sequence and training cases are refused by name."""
    problems, passed, refused = [], 0, []
    for case in node_suite.load_cases(kind):
        try:
            sets = list(node_suite.data_sets(case))
        except NotImplementedError:
            refused.append(f"{case.name}: not of tensors")
            continue
        try:
            model = tn.compile(node_suite.model_path(case, str(tmp_path)))
        except tn.Unsupported as error:
            refused.append(f"{case.name}: {str(error).splitlines()[0]}")
            continue
        for inputs, outputs in sets:
            got = model.run({value.name: array for value, array in zip(model.inputs, inputs)})
            for value, want in zip(model.outputs, outputs):
                difference = node_suite.same(np.asarray(got[value.name]), want, 1e-3, 1e-4)
                if difference:
                    problems.append(f"{case.name}: {value.name}: {difference}")
        passed += 1
    print(f"{kind}: {passed} pass, {len(refused)} refused")
    print("\n".join(refused))
    assert not problems
    expected = [line for line in refused if not any(word in line for word in ("string", "sequence", "training",
                                                                              "not of tensors", "Sequence", "String"))]
    assert not expected, "refused without need"
