//===- Conv.td - convolution, pooling, resizing ---------------------------------===//
#ifndef TENON_CONV
#define TENON_CONV

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_PoolKind : Tenon_I64Enum<"PoolKind", "what a pooling window computes", [
  I64EnumAttrCase<"max", 0>, I64EnumAttrCase<"average", 1>, I64EnumAttrCase<"lp", 2>]>;

def Tenon_ConvAlgorithm : Tenon_I64Enum<"ConvAlgorithm", "how a convolution is computed", [
  I64EnumAttrCase<"direct", 1>, I64EnumAttrCase<"winograd2", 2>, I64EnumAttrCase<"winograd4", 4>,
  I64EnumAttrCase<"fft", 8>]>;

def Tenon_ConvOp : Tenon_Op<"conv", [Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "1-3-D convolution: groups, strides, dilations, pads, transposed, per-sample filters, layouts";
  let description = [{
    With n spatial dims, in the channels-first layout, `input` is `[N, C, D1..Dn]`, `filter` `[F, C/groups, K1..Kn]`,
    `bias` (optional) `[F]`, the result `[N, F, O1..On]`; in the channels-last layout the channel dim of input and
    result comes last and the filter is `[F, K1..Kn, C/groups]`. Transposed: the filter is `[C, F/groups, K1..Kn]`
    (channels-last: `[C, K1..Kn, F/groups]`). Per-sample filters have a leading `N` dim (CondConv, dynamic filters).
    `pads` has 2n entries: n at the start, then n at the end; negative pads crop.

      out[n, f, o]  = bias[f] + sum over c, k of input[n, g*C/groups + c, o*stride + k*dilation - pad] * filter[f, c, k]
      O = floor((D + pad_start + pad_end - dilation*(K-1) - 1) / stride) + 1
      transposed: O = stride*(D-1) + output_padding + dilation*(K-1) + 1 - pad_start - pad_end

    Accumulation is in f32 for f16, bf16 and f32, in f64 for f64, and in the result type for integers.

    - (C1) input rank is n+2 with n = 1, 2 or 3; filter rank n+2, one more with `per_sample`.
    - (C2) strides and dilations have n entries, all at least 1; pads has 2n entries.
    - (C3) `groups` is at least 1 and divides the channels of the input.
    - (C4) the filter's channel count times groups is the input's channel count (transposed: its first channel dim is).
    - (C5) `groups` divides the number of output channels.
    - (C6) bias has rank 1 and as many elements as there are output channels.
    - (C7) `output_padding` has n entries, each less than stride or dilation, or is empty; only transposed convolutions have it.
    - (C8) element types of input, filter and bias agree; the result's is the same, or i32 for i8 inputs.
    - (C9) the result type is the inferred one wherever both are static.
    - (C10) a per-sample filter's leading dim is the input's batch.
    - (C11) the filter's spatial sizes are at least 1.
    - (C12) only a convolution of f32 with two spatial dims, channels first, and strides and dilations of 1, neither transposed
      nor per sample, has an `algorithm` other than direct. Winograd's has one group and a 3x3 filter; `fft` has one channel a
      group in input and result, sizes that are static but for the batch, pads from 0 to 63, and at most 64 taps a dim.

    `algorithm` says how it is computed, not what: `winograd4` by tiles of 4x4 results with 36 multiplications each
    instead of 144, `winograd2` by tiles of 2x2 results with 16 instead of 36, `fft` by Fourier transforms of windows, all within
    the error bounds of docs/rationale/precision.md; `direct`, or nothing, is the sum above.

    Example:
    ```mlir
    %y = tenon.conv %x, %w bias %b strides [2, 2] dilations [1, 1] pads [3, 3, 3, 3] groups 1
        : tensor<1x3x224x224xf32>, tensor<64x3x7x7xf32>, tensor<64xf32> -> tensor<1x64x112x112xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter, Optional<AnyRankedTensor>:$bias,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads, I64Attr:$groups,
    UnitAttr:$transposed, DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$output_padding,
    UnitAttr:$per_sample, UnitAttr:$channels_last, OptionalAttr<Tenon_ConvAlgorithm>:$algorithm);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $filter (`bias` $bias^)? `strides` $strides `dilations` $dilations `pads` $pads `groups` $groups
    (`transposed` $transposed^)? (`per_sample` $per_sample^)? (`channels_last` $channels_last^)?
    (`algorithm` $algorithm^)? attr-dict
    `:` type($input) `,` type($filter) (`,` type($bias)^)? `->` type($result)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// Number of spatial dims.
    int64_t getSpatialRank();
    /// Result shape; kDynamic where a size is not known. Sizes that would be negative are 0.
    ::llvm::SmallVector<int64_t> inferShape();
    /// Index of the channel dim and of spatial dim `i` in input and result.
    int64_t getChannelDim();
    int64_t getSpatialDim(int64_t i);
    /// Index in the filter of its first dim that is no batch (F; transposed: C), of the dim of channels per group
    /// (transposed: result channels per group), and of spatial dim `i`.
    int64_t getFilterOuterDim();
    int64_t getFilterChannelDim();
    int64_t getFilterSpatialDim(int64_t i);
    /// Extra size of the result at the end of spatial dim `i`; 0 unless given.
    int64_t getOutputPaddingAt(int64_t i);
    /// The type that sums are kept in.
    ::mlir::Type getAccumulatorType();
    /// Why it cannot be computed by `algorithm`; empty where it can.
    std::string explainNo(ConvAlgorithm algorithm);
  }];
}

def Tenon_PoolOp : Tenon_Op<"pool", [Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "1-3-D max, average or Lp pooling";
  let description = [{
    `input` is `[N, C, D1..Dn]`, the result `[N, C, O1..On]`. Windows as of `tenon.conv`; with `ceil_mode` the division
    rounds up, and a window that would start in the padding at the end is dropped. `max` ignores padding (a window that
    sees only padding gives the lowest value); `average` divides by the number of elements inside the input, or, with
    `count_include_pad`, inside input and pads; `lp` is `(sum |x|^p)^(1/p)`. The optional second result has, for `max`,
    the index of the (first) maximum in the whole flattened input tensor, row-major, or with
    `column_major` with the spatial dims in reversed order; -1 for a window that sees only padding. Sums are kept in f32 for
    floats of at most 32 bits; integers only have `max`.

    - (C1) input rank is n+2 with n = 1, 2 or 3.
    - (C2) kernel, strides and dilations have n entries, all at least 1; pads has 2n entries, none negative.
    - (C3) only `max` has a second result, which is of i64 elements and the first one's shape.
    - (C4) the result has the input's element type and, where both are static, the inferred shape.
    - (C5) `p` is at least 1, and 2 (the default) unless the kind is `lp`.
    - (C6) the element type is a float, or an integer with `max`.

    Example:
    ```mlir
    %y = tenon.pool max %x kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1]
        : tensor<1x64x112x112xf32> -> tensor<1x64x56x56xf32>
    ```
  }];
  let arguments = (ins Tenon_PoolKind:$kind, AnyRankedTensor:$input, DenseI64ArrayAttr:$kernel,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads,
    UnitAttr:$ceil_mode, UnitAttr:$count_include_pad, UnitAttr:$column_major,
    DefaultValuedAttr<I64Attr, "2">:$p);
  let results = (outs AnyRankedTensor:$result, Optional<AnyRankedTensor>:$indices);
  let assemblyFormat = [{
    $kind $input `kernel` $kernel `strides` $strides `dilations` $dilations `pads` $pads
    (`ceil_mode` $ceil_mode^)? (`count_include_pad` $count_include_pad^)? (`column_major` $column_major^)? attr-dict
    `:` type($input) `->` type($result) (`,` type($indices)^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    int64_t getSpatialRank();
    ::llvm::SmallVector<int64_t> inferShape();
  }];
}

def Tenon_ResizeMode : Tenon_I64Enum<"ResizeMode", "interpolation", [
  I64EnumAttrCase<"nearest", 0>, I64EnumAttrCase<"linear", 1>, I64EnumAttrCase<"cubic", 2>]>;
def Tenon_ResizeCoordinates : Tenon_I64Enum<"ResizeCoordinates", "from a result coordinate to an input coordinate", [
  I64EnumAttrCase<"half_pixel", 0>, I64EnumAttrCase<"half_pixel_symmetric", 1>,
  I64EnumAttrCase<"pytorch_half_pixel", 2>, I64EnumAttrCase<"align_corners", 3>,
  I64EnumAttrCase<"asymmetric", 4>, I64EnumAttrCase<"crop_and_resize", 5>]>;
def Tenon_ResizeRounding : Tenon_I64Enum<"ResizeRounding", "how nearest rounds", [
  I64EnumAttrCase<"round_prefer_floor", 0>, I64EnumAttrCase<"round_prefer_ceil", 1>,
  I64EnumAttrCase<"floor", 2>, I64EnumAttrCase<"ceil", 3>]>;

def Tenon_ResizeOp : Tenon_Op<"resize", [Pure, DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "resizes a tensor along any of its dims by interpolation";
  let description = [{
    The semantics of ONNX Resize-19 along every dim at once: dims are interpolated independently (the weights multiply), and a
    dim whose scale is 1, whose size stays and which has no `roi` keeps its elements. `scales` holds one f32 per dim (result coordinate to
    input coordinate; it need not be the quotient of the sizes), or is empty: then the quotient of result and input size. `roi`, for
    `crop_and_resize`, is the starts and then the ends. Sizes of the result that are dynamic come as `sizes`; a negative one counts as 0.

      L = scale * D, the result's size O before rounding (O where `scales` is empty)
      i = (o + 0.5) / scale - 0.5                                           half_pixel
      i = half_pixel + (D / 2) * (1 - O / L)                                half_pixel_symmetric
      i = L > 1 ? half_pixel : 0                                            pytorch_half_pixel
      i = L == 1 ? 0 : o * (D - 1) / (L - 1)                                align_corners
      i = o / scale                                                         asymmetric
      i = L == 1 ? 0.5 * (start + end) * (D - 1)
                 : start * (D - 1) + o * (end - start) * (D - 1) / (L - 1)  crop_and_resize

    `nearest` rounds i by `rounding` and clamps it to the input. `linear` weighs the two neighbours of i, `cubic` the four (Keys'
    kernel with `cubic_coefficient`); neighbours outside are the nearest inside, or with `exclude_outside` get weight 0 and the
    others are scaled to sum 1. `antialias` widens the kernels by 1/scale where the scale is below 1 and normalises the weights.
    `crop_and_resize` gives `extrapolation_value` where i is outside [0, D-1] along any dim. Coordinates are computed in f32,
    values in f32 (f64 for f64 and integers of 32 bits and more); for integers they are rounded towards zero and saturated.

    - (C1) input and result have the same rank and element type.
    - (C2) `scales` is empty or has one entry per dim, all positive and finite.
    - (C3) `roi` has two entries per dim with `crop_and_resize` and none otherwise.
    - (C4) there is one operand in `sizes` per dynamic dim of the result.
    - (C5) the element type is a float or an integer of at least 8 bits, and with `nearest` also i1.
    - (C6) `antialias` comes with `linear` or `cubic` only.
    - (C7) a result dim is empty where the input's is.

    Example:
    ```mlir
    %y = tenon.resize nearest %x scales [1.0, 1.0, 2.0, 2.0] coordinates asymmetric rounding floor
        : tensor<1x8x4x4xf32> -> tensor<1x8x8x8xf32>
    ```
  }];
  let arguments = (ins Tenon_ResizeMode:$mode, AnyRankedTensor:$input, Variadic<Index>:$sizes,
    DenseF32ArrayAttr:$scales, Tenon_ResizeCoordinates:$coordinates, Tenon_ResizeRounding:$rounding,
    DefaultValuedAttr<DenseF32ArrayAttr, "{}">:$roi,
    DefaultValuedAttr<F32Attr, "-0.75f">:$cubic_coefficient, UnitAttr:$exclude_outside,
    DefaultValuedAttr<F32Attr, "0.0f">:$extrapolation_value, UnitAttr:$antialias);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $mode $input (`sizes` `(` $sizes^ `)`)? `scales` $scales `coordinates` $coordinates `rounding` $rounding attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // TENON_CONV
