//===- Winograd.td - convolution by Winograd's minimal filtering -------------------------===//
//
// Included by Winograd.h alone, so that an edit rebuilds only the rooms that see these ops.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_WINOGRAD
#define TENON_WINOGRAD

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tenon_WinogradOp<string mnemonic> : Tenon_Op<mnemonic,
    [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
  code declarations = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
    /// The size of the window that a tile depends on.
    int64_t getWindow() { return getTile() + 2; }
  }];
  let extraClassDeclaration = declarations;
}

def Tenon_WinogradInputOp : Tenon_WinogradOp<"winograd_input"> {
  let summary = "the input of a 3x3 convolution in Winograd's domain";
  let description = [{
    F(m x m, 3 x 3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks": the result of a convolution is cut in
    tiles of m x m, each of which depends on a window d of a x a input elements with a = m + 2. With `input` `[N, C, H, W]` the
    convolution's results are OH = H + top + bottom - 2 by OW = W + left + right - 2, the tiles TH = ceil(OH / m) by
    TW = ceil(OW / m), and

      result[i, j, n * TH + y, x, c] = sum over k, l of B[k, i] * d[k, l] * B[l, j]
      d[k, l] = input[n, c, y * m + k - top, x * m + l - left]       0 outside of the input

    The columns of B are the polynomials of the points 0, 1, -1 (m = 2) or 0, 5/8, -5/8, 3/2, -3/2 (m = 4) and infinity
    (`getWinogradMatrices`); `tenon.winograd_output` has the other half.

    - (C1) `tile` is 2 or 4.
    - (C2) `input` has rank 4 and elements of f32; `pads` has four entries (top, left, bottom, right), from 0 to 2.
    - (C3) `outs` is `[a, a, N * TH, TW, C]` of f32 wherever the sizes are static, and the result has its type.

    Example:
    ```mlir
    %v = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%e : tensor<6x6x14x14x64xf32>)
        : tensor<1x64x56x56xf32> -> tensor<6x6x14x14x64xf32>
    ```
  }];
  let arguments = (ins I64Attr:$tile, AnyRankedTensor:$input, DenseI64ArrayAttr:$pads, AnyRankedTensor:$init);
  let assemblyFormat = [{
    $tile $input `pads` $pads `outs` `(` $init `:` type($init) `)` attr-dict `:` type($input) `->` type($result)
  }];
}

def Tenon_WinogradOutputOp : Tenon_WinogradOp<"winograd_output"> {
  let summary = "the result of a 3x3 convolution from Winograd's domain";
  let description = [{
    The other half of `tenon.winograd_input`: with `sums` `[a, a, N * TH, TW, F]`, the products of transformed input and
    transformed filter summed over the channels,

      result[n, f, y * m + p, x * m + q] = sum over i, j of A[i, p] * sums[i, j, n * TH + y, x, f] * A[j, q]

    where row i of A is the powers of the i-th point. The result of one sample may come without its dim n. Places past the result's rows and columns are dropped.

    - (C1) `tile` is 2 or 4.
    - (C2) `sums` has rank 5, `outs` rank 4 or 3, both elements of f32.
    - (C3) `sums` is `[a, a, N * TH, TW, F]` of `outs` `[N, F, OH, OW]`, or `[F, OH, OW]` for N = 1, wherever the sizes are
      static, and the result has the type of `outs`.

    Example:
    ```mlir
    %y = tenon.winograd_output 4 %m outs(%e : tensor<1x64x56x56xf32>) : tensor<6x6x14x14x64xf32> -> tensor<1x64x56x56xf32>
    ```
  }];
  let arguments = (ins I64Attr:$tile, AnyRankedTensor:$sums, AnyRankedTensor:$init);
  let assemblyFormat = [{
    $tile $sums `outs` `(` $init `:` type($init) `)` attr-dict `:` type($sums) `->` type($result)
  }];
}

def Tenon_TileTransformOp : Tenon_Op<"tile_transform",
    [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "windows along one dim times a small constant matrix";
  let description = [{
    For each point of the parallel dims d, and each row i of `coefficients`, which has `rows` rows of K numbers:

      out[map_out(d.., i)] = sum over k of coefficients[i, k] * in[map_in(d.., k)]

    One of the two passes, along rows and along columns, of a Winograd transform of one tile. Vectors run along the last dim of
    both operands, so that no element moves to another lane; all terms are unrolled, zeros are left out, and rows or columns that
    differ in signs alone share their sums. On tensors the op is destination-passing; on memrefs it writes `out`.

    - (C1) `rows` is positive and divides the number of coefficients.
    - (C2) the maps have the same dims, the parallel ones and then i or k, and one result per dimension of their operand.
    - (C3) `map_out` is a permutation; the results of `map_in` are sums of dims with positive constant coefficients.
    - (C4) the last result of both maps is the same parallel dim.
    - (C5) in and out have the same float element type, and the dimension of `out` that i runs along has `rows` elements.
    - (C6) operands are all tensors (one result, of out's type) or all memrefs (no result).

    Example:
    ```mlir
    %y = tenon.tile_transform in(%x : tensor<6x58x64xf32>) outs(%e : tensor<4x1x58x64xf32>)
        maps [affine_map<(y, x, c, k) -> (y * 2 + k, x, c)>, affine_map<(y, x, c, i) -> (i, y, x, c)>]
        rows 4 coefficients [1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 1.0, 0.0, -1.0] -> tensor<4x1x58x64xf32>
    ```
  }];
  let arguments = (ins AnyShaped:$in, AnyShaped:$out, AffineMapArrayAttr:$maps, I64Attr:$rows,
    DenseF64ArrayAttr:$coefficients);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `in` `(` $in `:` type($in) `)` `outs` `(` $out `:` type($out) `)` `maps` $maps `rows` $rows
    `coefficients` $coefficients attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutMutable(); }
    ::mlir::AffineMap getInMap() { return ::llvm::cast<::mlir::AffineMapAttr>(getMaps()[0]).getValue(); }
    ::mlir::AffineMap getOutMap() { return ::llvm::cast<::mlir::AffineMapAttr>(getMaps()[1]).getValue(); }
    int64_t getTaps() { return getCoefficients().size() / getRows(); }
  }];
}

#endif // TENON_WINOGRAD
