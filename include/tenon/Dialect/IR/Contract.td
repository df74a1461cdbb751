//===- Contract.td - the register tile -----------------------------------------===//
#ifndef TENON_CONTRACT
#define TENON_CONTRACT

include "tenon/Dialect/IR/Kernel.td"
include "mlir/Interfaces/TilingInterface.td"

def Tenon_TileContractOp : Tenon_Op<"tile_contract",
    [DestinationStyleOpInterface, SingleBlock, AttrSizedOperandSegments,
     DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
     DeclareOpInterfaceMethods<TilingInterface,
       ["getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation", "getResultTilePosition",
        "generateResultTileValue"]>]> {
  let summary = "a contraction with its epilogue: the form that all contractions end in";
  let description = [{
    Over the iteration space of `iterators`, with linear (not only projected) indexing maps,

      acc[parallel dims] = sum over the reduction dims of ext(lhs[map0]) * ext(rhs[map1])
      out[map_out]       = epilogue(acc, extras[maps]...)

    where `ext` extends to the accumulator type, the type of the region's first argument. The region's further arguments
    are the elements of `extras` (bias, residual, ...). There is no initial value: an empty reduction gives 0, and a
    bias is an epilogue. Matmul, batched matmul, all direct convolution forms (whose maps hold terms such as
    `2 * oh + kh`) and the two products of attention are instances. On tensors the op is destination-passing; on memrefs it writes `out`.

    With a `decode` region, rhs holds codes: what is multiplied is the value that the region yields for an element of
    rhs and of each of the last extras, as many as the region has arguments for. These may move with reduction dims (the
    scales of groups). Further arguments, where the region has them, are the indices of the reduction dims.

    - (C1) there is one indexing map per operand but `starts`: lhs, rhs, extras, out, in this order.
    - (C2) each map has one dim per iterator, one result per operand dimension (but see C11), and its results are sums
      of dims with positive constant coefficients (the empty sum, 0, broadcasts).
    - (C3) the out map is a projected permutation of exactly the parallel dims.
    - (C4) the region has one argument per element read (acc, then extras), acc is a float or integer, extras' arguments
      have the element types of the extras, and it yields one value of out's element type.
    - (C5) maps of the epilogue's extras use parallel dims only.
    - (C6) operands are all tensors (one result, of out's type) or all memrefs (no result).
    - (C7) each reduction dim appears alone in some result of the lhs or rhs map (its extent is read there).
    - (C8) `register_` is empty or has one positive entry per iterator, 1 for reduction dims (but for a reduction
      `vector_dim`); `vector_dim` is -1 or a dim; `unroll` lists reduction dims.
    - (C9) `tails` is empty or has one entry per iterator, from -1 to less than the register tile.
    - (C10) `pack` lists factors, 0 for lhs and 1 for rhs, each at most once; it needs a parallel `vector_dim`.
    - (C11) `panels` lists factors in the same manner, none that is in `pack`. Such a factor's map holds distinct dims:
      parallel dims, then `vector_dim`, then reduction dims in ascending order. Its last dimension, which the map leaves
      out, is static: the panel's width, and the register tile of `vector_dim` where that is given.

    - (C12) a `decode` region has arguments of the element types of rhs and of the last extras, then none or one of type
      index for each reduction dim, and yields one value of the accumulator's type.
    - (C13) `decode_rows` is not negative; it needs a `decode` region and a parallel `vector_dim`.
    - (C14) `nonzero` lists fours of numbers: a factor, one of its dimensions, and `first` and `end` with
      `0 <= first <= end`. `starts` has none or one operand for each.
    - (C15) `chunk` is not negative; where it is not 0, there is a reduction dim, the first is neither in `unroll` nor in `phases`,
      `vector_dim` is not a reduction dim, `pack` is empty, and there is no `decode` region.

    - (C16) `phases` lists threes of numbers: two reduction dims of known extents, neither of which is `vector_dim`, and a
      number of taps from 1 to the product of the extents.

    A factor in `panels` is stored by panels of `w` elements along the vector dim: element (p.., v, r..) of the map lies
    at (p.., v / w, r.., v mod w), and what lies past the extent of `v` is not read into `out`.

    `nonzero` promises that the elements of a factor from `first` to before `end` along a dimension are all that are not
    zero: it is the padding of a convolution. A reduction loop leaves out the steps in which all elements of a register tile
    would be multiplied by such zeros. (What it is multiplied by is taken for finite.) With `starts`, `first` and `end` count
    in a larger factor, of which this one is a part: its first element along the dimension is number `start` there.

    `phases` says of dims `a` and `b` that only points with `a * extent(b) + b` below the number of taps count: the taps of a
    strided convolution, split in phases, fill the last ones only in part. These dims are unrolled.

    `register_`, `vector_dim`, `vector_width`, `unroll`, `tails`, `pack`, `chunk`, `decode_rows` and `in_order` say how the op is expanded, not what it computes.
    Where `vector_dim` is a reduction dim, lanes hold partial sums which are added at the end. `tails[d]` promises that
    the extent of dim d modulo its register tile is 0 or that number; -1 promises nothing. A factor in `pack` is copied,
    one panel of the vector dim's register tile at a time, to scratch memory where the panel's elements are neighbours.
    With `chunk`, all register tiles run over so many steps of the first reduction dim before any runs over the next, so
    that what these steps read stays near; in between the sums lie in scratch memory, in the accumulator's type. Each
    sum is added up in the same order.
    With `decode_rows`, and at least as many places of the parallel dims that rhs does not move with, a panel of rhs is
    decoded to scratch memory before register tiles read it; else each register tile decodes.
    With `in_order`, no tile keeps a sum in several parts. `ext` is signed for integers.

    Example:
    ```mlir
    %c = tenon.tile_contract ["parallel", "parallel", "reduction"]
        lhs(%a : tensor<4x8xf32>, affine_map<(m, n, k) -> (m, k)>)
        rhs(%b : tensor<8x16xf32>, affine_map<(m, n, k) -> (k, n)>) ...
    ```
  }];
  let arguments = (ins
    AnyShaped:$lhs, AnyShaped:$rhs, Variadic<AnyShaped>:$extras, AnyShaped:$out, Variadic<Index>:$starts,
    ArrayAttr:$indexing_maps, ArrayAttr:$iterators,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$register_,
    DefaultValuedAttr<I64Attr, "-1">:$vector_dim,
    DefaultValuedAttr<I64Attr, "1">:$vector_width,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$unroll,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$tails,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$pack,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$panels,
    DefaultValuedAttr<I64Attr, "0">:$chunk,
    DefaultValuedAttr<I64Attr, "0">:$decode_rows,
    UnitAttr:$in_order,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$nonzero,
    DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$phases);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let regions = (region SizedRegion<1>:$epilogue, VariadicRegion<SizedRegion<1>>:$decode);
  let assemblyFormat = [{
    $iterators `lhs` `(` $lhs `:` type($lhs) `)` `rhs` `(` $rhs `:` type($rhs) `)`
    (`extras` `(` $extras^ `:` type($extras) `)`)? `outs` `(` $out `:` type($out) `)`
    (`starts` `(` $starts^ `)`)? `maps` $indexing_maps
    attr-dict-with-keyword $epilogue (`decode` $decode^)? (`->` type($result)^)?
  }];
  // Without a decode region there is none, not an empty one: upstream's clone of an op reads the first block of each.
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$lhs, "::mlir::Value":$rhs,
                                 "::mlir::ValueRange":$extras, "::mlir::Value":$out, "::mlir::ArrayAttr":$maps,
                                 "::mlir::ArrayAttr":$iterators, CArg<"bool", "false">:$decodes), [{
    $_state.addOperands({lhs, rhs});
    $_state.addOperands(extras);
    $_state.addOperands(out);
    Properties &properties = $_state.getOrAddProperties<Properties>();
    properties.setIndexingMaps(maps);
    properties.setIterators(iterators);
    properties.setOperandSegmentSizes({1, 1, static_cast<int32_t>(extras.size()), 1, 0});
    $_state.addTypes(type);
    $_state.addRegion();
    if (decodes)
      $_state.addRegion();
  }]>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutMutable(); }
    /// The maps of lhs, rhs, extras and out, in this order.
    ::llvm::SmallVector<::mlir::AffineMap> getMaps();
    ::mlir::AffineMap getOutMap();
    /// The extras of the epilogue, and those that `decode` reads beside the codes; the latter's first operand number.
    ::mlir::ValueRange getEpilogueExtras() { return getExtras().drop_back(getNumDecodeExtras()); }
    ::mlir::ValueRange getDecodeExtras() { return getExtras().take_back(getNumDecodeExtras()); }
    unsigned getNumDecodeExtras() {
      unsigned count = hasDecode() ? getDecode().front().getNumArguments() - getDecodeIndices().size() : 0;
      return count == 0 ? 0 : std::min<unsigned>(count - 1, getExtras().size());
    }
    unsigned getFirstDecodeExtra() { return 2 + getExtras().size() - getNumDecodeExtras(); }
    bool hasDecode() { return !getDecode().empty(); }
    /// The arguments of `decode` that are indices of reduction dims.
    ::llvm::ArrayRef<::mlir::BlockArgument> getDecodeIndices() {
      ::llvm::ArrayRef<::mlir::BlockArgument> arguments = getDecode().front().getArguments();
      while (!arguments.empty() && !arguments.front().getType().isIndex())
        arguments = arguments.drop_front();
      return arguments;
    }
    ::llvm::SmallVector<unsigned> getReductionDims();
    /// The entries of `nonzero`, with their `starts`.
    ::llvm::SmallVector<::tenon::NonzeroRange> getNonzeroRanges();
    /// Whether `dim` is one of two in `phases`.
    bool isOfPhases(unsigned dim);
    /// Whether the point counts at which reduction dims have these values; those of other dims are not looked at.
    bool countsPoint(::llvm::ArrayRef<int64_t> point);
    unsigned getNumLoops() { return getIterators().size(); }
    bool isReduction(unsigned dim);
    ::mlir::Type getAccumulatorType() { return getEpilogue().front().getArgument(0).getType(); }
    /// The register tile of dim `dim`; 1 where none is given.
    int64_t getRegisterTile(unsigned dim);
    /// Whether operand `number` is a factor stored by panels, and how many elements of the vector dim one holds.
    bool hasPanels(unsigned number) { return ::llvm::is_contained(getPanels(), static_cast<int64_t>(number)); }
    int64_t getPanelWidth(unsigned number);
    /// (operand, dimension) whose size is the extent of iteration dim `dim`: the out operand for parallel dims,
    /// lhs or rhs for reduction dims.
    std::pair<::mlir::Value, unsigned> getExtentSource(unsigned dim);
  }];
}

#endif // TENON_CONTRACT
