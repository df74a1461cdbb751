"""Divisions by one number of a row, exponentials: as exact in vectors as NumPy's, on all sorts of numbers."""
import numpy as np
import pytest

pytestmark = pytest.mark.executes


def special(dtype):
    info = np.finfo(dtype)
    return np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, 3, -7, info.smallest_subnormal, info.tiny, info.max, -info.tiny / 4, 1e30, 1e-30], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_division_by_one_number_of_a_row_is_rounded_as_a_division(tn, dtype):
    r = np.random.default_rng(0)
    draw = lambda count: np.concatenate([r.standard_normal(count) * np.exp(r.uniform(-80, 80, count)), special(dtype)]).astype(dtype)  # noqa: E731
    divisors = draw(300)
    dividends = np.tile(draw(1500), (len(divisors), 1))
    with np.errstate(all="ignore"):
        expected = dividends / divisors[:, None]
    result = tn.jit(lambda x, y: x / y[:, None])(dividends, divisors)
    same = (result == expected) | (np.isnan(result) & np.isnan(expected))
    # Almost nothing leaves a remainder that is no normal number: one step of the last place.
    tiny = np.minimum(np.abs(expected), np.abs(dividends)) < np.finfo(dtype).tiny * 2.0 ** 25
    assert same[~tiny].all()
    off = tiny & ~same
    assert (np.abs(result[off] - expected[off]) <= np.spacing(np.abs(expected[off]))).all()


@pytest.mark.parametrize("dtype, low, high", [(np.float32, -110, 95), (np.float64, -750, 720)])
def test_exponentials_are_within_one_ulp(tn, dtype, low, high):
    x = np.concatenate([np.linspace(low, high, 200001), special(dtype)]).astype(dtype)
    with np.errstate(all="ignore"):
        exact = np.exp(x.astype(np.longdouble))
        rounded = exact.astype(dtype)
    result = tn.jit(lambda x: tn.exp(x))(x)
    finite = np.isfinite(rounded)
    step = np.maximum(np.spacing(rounded[finite]), np.finfo(dtype).smallest_subnormal)
    assert (np.abs(result[finite].astype(np.longdouble) - exact[finite]) / step).max() < 1
    assert np.array_equal(result[~finite], rounded[~finite], equal_nan=True)
