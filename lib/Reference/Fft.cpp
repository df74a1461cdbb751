//===- Fft.cpp - what convolutions by Fourier transforms compute ------------------------------===//
//
// As the descriptions in Fft.td have it: sums over all terms, in double.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Fft.h"
#include "Interpreter.h"

#include <complex>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

using Complex = std::complex<double>;

/// exp(2 pi i product / size)
Complex root(int64_t product, int64_t size) {
  constexpr double kTwoPi = 6.283185307179586476925286766559;
  product %= size;
  if (4 * product % size == 0) { // exact
    const Complex quarters[] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    return quarters[4 * product / size];
  }
  return std::polar(1.0, kTwoPi * static_cast<double>(product) / static_cast<double>(size));
}

LogicalResult run(Interpreter &in, FftConvOp op) {
  const Tensor input = in.tensor(op.getInput()), spectrum = in.tensor(op.getSpectrum());
  Tensor result = in.tensor(op.getInit());
  ArrayRef<int64_t> image = result.shape().take_back(3), tile = op.getTile();
  int64_t samples = result.rank() == 4 ? result.shape()[0] : 1, rows = op.getSizes()[0], columns = op.getSizes()[1];
  int64_t height = input.shape()[2], width = input.shape()[3];
  if (input.shape()[0] != samples)
    return op.emitError("expected as many samples as results, but got ") << input.shape()[0] << " and " << samples;
  auto getSpectrum = [&](int64_t g, int64_t f, int64_t c) {
    bool isMirrored = f > columns / 2;
    int64_t row = isMirrored ? (rows - g) % rows : g, column = isMirrored ? columns - f : f;
    Complex value(spectrum.data()[flatten(spectrum.shape(), {column, row, 0, c})].f,
                  spectrum.data()[flatten(spectrum.shape(), {column, row, 1, c})].f);
    return isMirrored ? std::conj(value) : value;
  };
  Scalar *out = result.mutableData();
  LogicalResult done = forEach({samples, image[0]}, [&](ArrayRef<int64_t> at) {
    for (int64_t y = 0; y < image[1]; y += tile[0])
      for (int64_t x = 0; x < image[2]; x += tile[1]) {
        std::vector<Complex> both(rows * columns);
        for (int64_t g = 0; g < rows; ++g)
          for (int64_t f = 0; f < columns; ++f) {
            Complex sum = 0;
            for (int64_t k = 0; k < rows; ++k)
              for (int64_t l = 0; l < columns; ++l) {
                int64_t row = y + k - op.getPads()[0], column = x + l - op.getPads()[1];
                if (row >= 0 && row < height && column >= 0 && column < width)
                  sum += input.data()[flatten(input.shape(), {at[0], at[1], row, column})].f * root(g * k, rows) *
                         root(f * l, columns);
              }
            // Roots of the other sign: the conjugate of a real window's spectrum.
            both[g * columns + f] = std::conj(sum) * getSpectrum(g, f, at[1]);
          }
        for (int64_t p = 0; p < tile[0] && y + p < image[1]; ++p)
          for (int64_t q = 0; q < tile[1] && x + q < image[2]; ++q) {
            Complex sum = 0;
            for (int64_t g = 0; g < rows; ++g)
              for (int64_t f = 0; f < columns; ++f)
                sum += both[g * columns + f] * root(g * p, rows) * root(f * q, columns);
            int64_t place = ((at[0] * image[0] + at[1]) * image[1] + y + p) * image[2] + x + q;
            out[place].f = roundFloat(result.element(), sum.real());
          }
      }
    return success();
  });
  in.set(op.getResult(), result);
  return done;
}

LogicalResult run(Interpreter &in, TileFftOp op) {
  const Tensor from = in.tensor(op.getIn());
  Tensor result = in.tensor(op.getOut());
  auto size = static_cast<int64_t>(op.getSize()), offset = static_cast<int64_t>(op.getOffset());
  FftStep step = op.getStep();
  Scalar *out = result.mutableData();
  auto get = [&](const Tensor &tensor, int64_t f, int64_t r, int64_t c) {
    return Complex(tensor.data()[flatten(tensor.shape(), {f, r, 0, c})].f,
                   tensor.data()[flatten(tensor.shape(), {f, r, 1, c})].f);
  };
  LogicalResult done = forEach(result.shape(), [&](ArrayRef<int64_t> at) {
    Complex sum = 0;
    if (step == FftStep::forward) {
      for (int64_t l = 0; l < from.shape()[1]; ++l)
        sum += from.data()[flatten(from.shape(), {at[1], l, at[3]})].f * std::conj(root(at[0] * (l + offset), size));
    } else if (step == FftStep::product) {
      const Tensor spectrum = in.tensor(op.getSpectrum());
      for (int64_t g = 0; g < size; ++g) {
        Complex part = 0;
        for (int64_t r = 0; r < from.shape()[1]; ++r)
          part += get(from, at[0], r, at[3]) * std::conj(root(g * (r + offset), size));
        sum += part * get(spectrum, at[0], g, at[3]) * root(g * at[1], size);
      }
    } else {
      for (int64_t f = 0; f < size; ++f) {
        Complex part = f <= size / 2 ? get(from, f, at[0], at[2]) : std::conj(get(from, size - f, at[0], at[2]));
        sum += part * root(f * at[1], size);
      }
    }
    bool isImaginary = step != FftStep::backward && at[2] == 1;
    (out++)->f = roundFloat(result.element(), isImaginary ? sum.imag() : sum.real());
    return success();
  });
  in.set(op.getResult(), result);
  return done;
}

} // namespace

Interpreter::Handled Interpreter::runFft(Operation *op) {
  if (auto convolution = dyn_cast<FftConvOp>(op))
    return ::run(*this, convolution);
  if (auto tile = dyn_cast<TileFftOp>(op); tile && tile.getResult())
    return ::run(*this, tile);
  return std::nullopt;
}
