//===- Fft.td - convolution with long filters by Fourier transforms ----------------------===//
//
// Included by Fft.h alone, so that an edit rebuilds only the rooms that see these ops.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_FFT
#define TENON_FFT

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_FftConvOp : Tenon_Op<"fft_conv",
    [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "a depthwise convolution as products of spectra";
  let description = [{
    Each channel is convolved with its own filter. The result `[N, C, OH, OW]` is cut in tiles of TH x TW (`tile`), each of which
    comes from a window d of NH x NW (`sizes`) elements of `input` `[N, C, H, W]`, whose spectrum is D:

      d[k, l] = input[n, c, y * TH + k - top, x * TW + l - left]        0 outside of the input
      D[g, f] = sum over k, l of d[k, l] * exp(-2 pi i (g * k / NH + f * l / NW))
      result[n, c, y * TH + p, x * TW + q] = sum over g, f of D[g, f] * S[g, f] * exp(2 pi i (g * p / NH + f * q / NW))

    `spectrum` `[NW / 2 + 1, NH, 2, C]` has real and imaginary parts of S[g, f] at [f, g, 0, c] and [f, g, 1, c]; the other half is
    S[g, f] = conj S[-g, -f], as the filter is real. For a filter w it is conj(W) / (NH * NW), which makes the result a sum over
    k, l of d[p + k, q + l] * w[k, l] wherever the window is long enough. The result of one sample may come without its dim n.

    - (C1) `sizes` are two of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 and 64; `tile` has two numbers from 1 to these.
    - (C2) `pads` (top, left) are not negative and below `sizes`.
    - (C3) `input` has rank 4, `spectrum` 4, `outs` rank 4 or 3, all of f32 and static but for N.
    - (C4) `spectrum` is `[NW / 2 + 1, NH, 2, C]`, `outs` `[N, C, OH, OW]` or `[C, OH, OW]` for N = 1, and the result has the type of
      `outs`.

    Example:
    ```mlir
    %y = tenon.fft_conv %x, %s sizes [48, 48] tile [28, 28] pads [15, 15] outs(%e : tensor<1x256x28x28xf32>)
        : tensor<1x256x28x28xf32>, tensor<25x48x2x256xf32> -> tensor<1x256x28x28xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$spectrum, DenseI64ArrayAttr:$sizes, DenseI64ArrayAttr:$tile,
    DenseI64ArrayAttr:$pads, AnyRankedTensor:$init);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $spectrum `sizes` $sizes `tile` $tile `pads` $pads `outs` `(` $init `:` type($init) `)` attr-dict
    `:` type($input) `,` type($spectrum) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// Rows and columns of tiles.
    ::llvm::SmallVector<int64_t, 2> getTileCounts();
  }];
}

def Tenon_FftStep : Tenon_I64Enum<"FftStep", "a step of a convolution by Fourier transforms", [
  I64EnumAttrCase<"forward", 0>, I64EnumAttrCase<"product", 1>, I64EnumAttrCase<"backward", 2>]>;

def Tenon_TileFftOp : Tenon_Op<"tile_fft",
    [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "one step of a convolution by Fourier transforms, channels innermost";
  let description = [{
    With N = `size`, F = N / 2 + 1 where it counts frequencies of real numbers, and e(j) = exp(2 pi i j / N):

      forward    out[f, r] = sum over l of in[r, l] * e(-f * (l + offset))                       in [R, L, C], out [F, R, 2, C]
      product    out[f, p] = sum over g of (sum over r of in[f, r] * e(-g * (r + offset))) * spectrum[f, g] * e(g * p)
                                                              in [F', R, 2, C], spectrum [F', N, 2, C], out [F', P, 2, C]
      backward   out[p, q] = sum over f of in[f, p] * e(f * q), in[N - f] = conj in[f]           in [F, P, 2, C], out [P, Q, C]

    Dims of 2 hold real and imaginary parts. Transforms are straight-line code for vectors along C; what is known to be zero is left
    out. On tensors the op is destination-passing; on memrefs it writes `out`.

    - (C1) `size` is one of 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 and 64; `offset` is not negative, and 0 in `backward`.
    - (C2) operands have the shapes above, and one float element type; all dims but R (of `forward`), P (of `backward`) and C are static.
    - (C3) L or R and `offset` are at most N together; P of `product` and Q are at most N. `spectrum` is there in `product` alone.
    - (C4) operands are all tensors (one result, of out's type) or all memrefs (no result).

    Example:
    ```mlir
    %y = tenon.tile_fft forward 48 offset 15 in(%x : tensor<28x28x16xf32>) outs(%e : tensor<25x28x2x16xf32>) -> tensor<25x28x2x16xf32>
    ```
  }];
  let arguments = (ins Tenon_FftStep:$step, I64Attr:$size, I64Attr:$offset, AnyShaped:$in, Optional<AnyShaped>:$spectrum,
    AnyShaped:$out);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    $step $size `offset` $offset `in` `(` $in `:` type($in) `)` (`spectrum` `(` $spectrum^ `:` type($spectrum) `)`)?
    `outs` `(` $out `:` type($out) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutMutable(); }
  }];
}

#endif // TENON_FFT
