//===- Schedule.td - #tenon.schedule and #tenon.target ------------------------===//
//
// The two attributes by which code generation is steered: what was decided (schedule) and for which machine (target).
//
//===----------------------------------------------------------------------===//
#ifndef TENON_SCHEDULE
#define TENON_SCHEDULE

include "tenon/Dialect/IR/TenonBase.td"

def Tenon_ScheduleAttr : Tenon_Attr<"Schedule", "schedule"> {
  let summary = "how one kernel is tiled, ordered, vectorised and run in parallel";
  let description = [{
    The only thing that lowering reads. All arrays have one entry per iteration dimension of the kernel's root op (for
    `tenon.tile_contract` its iterators; for `tenon.attention` batch, head, query and key, where a key tile of 0 in
    `parallel` means all keys; for `tenon.grouped_matmul`
    group, entry, column and K; for Winograd's transforms sample, channel and row of tiles; for Fourier's sample,
    channel, row and column, of which the last two are 0, as the transforms give the tiles; for a `linalg` kernel the
    loops of the last op), except `order` and `unroll`,
    which list dimensions.

    - (C1) `version` is the schema version, 1.
    - (C2) tile sizes are not negative; 0 means "not tiled at this level".
    - (C3) `order` lists each dimension at most once.
    - (C4) `vector_dim` is -1 (no vectorisation) or a dimension.
    - (C5) `vector_width` is a power of two between 1 and 64 elements.
    - (C6) arrays that are not empty have the same number of entries.
    - (C7) `algorithm` is `contract`, `attention`, `grouped`, `winograd`, `fft`, `rows`, `elementwise` or `copy`.
    - (C8) `pack` and `prepack` list factors of a contraction, 0 or 1, each at most once in both together.
    - (C9) `decode_rows` is not negative.

    A factor in `pack` is copied to panels at each run; one in `prepack` is a weight, whose panels are made once, when
    the model is loaded. A tile in `cache` for the first reduction dimension of a contraction cuts it in chunks: all
    register tiles of a unit run over one before any runs over the next. Codes are decoded by each register tile; with
    `decode_rows`, a unit with that many rows or more decodes a panel of them to scratch memory first, once for all its
    rows. With `in_order`, each sum of a contraction is one chain of multiply-adds in the order of the reduction
    dimensions, so that its bits do not depend on the tile that it lies in; without, tiles of few sums keep each in several
    parts.

    Example:
    ```mlir
    #tenon.schedule<algorithm = "contract", parallel = [128, 96, 0], cache = [0, 0, 0], register = [8, 48, 1],
                    vector_dim = 1, vector_width = 16>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "1", "schema version">:$version,
    StringRefParameter<"lowering family: contract, attention, grouped, winograd, fft, rows, elementwise or copy">:$algorithm,
    OptionalArrayRefParameter<"int64_t", "tile per dimension of one unit of parallel work; 0: not split">:$parallel,
    OptionalArrayRefParameter<"int64_t", "tile per dimension of the cache loops inside a unit; 0: not tiled">:$cache,
    OptionalArrayRefParameter<"int64_t", "cache loops from outermost to innermost, as dimensions">:$order,
    OptionalArrayRefParameter<"int64_t", "elements per dimension that live in registers">:$register_,
    OptionalArrayRefParameter<"int64_t", "reduction dimensions that are unrolled fully">:$unroll,
    OptionalArrayRefParameter<"int64_t", "factors of a contraction that are copied to panels: 0 lhs, 1 rhs">:$pack,
    OptionalArrayRefParameter<"int64_t", "factors of a contraction whose panels are made at load: 0 lhs, 1 rhs">:$prepack,
    DefaultValuedParameter<"int64_t", "-1", "the dimension along which vectors run">:$vector_dim,
    DefaultValuedParameter<"int64_t", "1", "elements per vector register">:$vector_width,
    DefaultValuedParameter<"int64_t", "0", "rows from which on panels of codes are decoded once; 0: never">:$decode_rows,
    DefaultValuedParameter<"bool", "false", "whether sums are one chain each, whatever the tile">:$in_order
  );
  // Kernels without codes.
  let builders = [AttrBuilder<(ins
    "int64_t":$version, "::llvm::StringRef":$algorithm, "::llvm::ArrayRef<int64_t>":$parallel,
    "::llvm::ArrayRef<int64_t>":$cache, "::llvm::ArrayRef<int64_t>":$order, "::llvm::ArrayRef<int64_t>":$register_,
    "::llvm::ArrayRef<int64_t>":$unroll, "::llvm::ArrayRef<int64_t>":$pack, "::llvm::ArrayRef<int64_t>":$prepack,
    "int64_t":$vector_dim, "int64_t":$vector_width), [{
      return $_get($_ctxt, version, algorithm, parallel, cache, order, register_, unroll, pack, prepack, vector_dim,
                   vector_width, /*decode_rows=*/0, /*in_order=*/false);
  }]>];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Tenon_TargetAttr : Tenon_Attr<"Target", "target"> {
  let summary = "the machine that code is generated for, as data";
  let description = [{
    - (C1) `vector_bits` is 128, 256 or 512.
    - (C2) cache sizes and counts are positive.
    - (C3) peaks are not negative. They are measured once per machine where a choice depends on them (docs/rationale/precision.md).

    Example:
    ```mlir
    #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256,
                  vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"LLVM target triple">:$triple,
    StringRefParameter<"LLVM CPU name">:$cpu,
    StringRefParameter<"LLVM feature string, +a,-b">:$features,
    "int64_t":$vector_bits,
    "int64_t":$vector_registers,
    "int64_t":$l1_bytes,
    "int64_t":$l2_bytes,
    "int64_t":$l3_bytes,
    DefaultValuedParameter<"int64_t", "2", "vector multiply-adds a cycle">:$vector_fmas,
    DefaultValuedParameter<"int64_t", "0", "GFLOP/s of one core in f32; 0 where unknown">:$peak_gflops,
    DefaultValuedParameter<"int64_t", "0", "GB/s that one core reads from the third level; 0 where unknown">:$l3_gbps,
    DefaultValuedParameter<"int64_t", "0", "GB/s that one core reads from memory; 0 where unknown">:$memory_gbps
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Elements of `type` (at least one byte wide) in one vector register.
    int64_t getVectorElements(::mlir::Type type) const;

    /// Bytes that a core reads in the time of one multiply-add of f32 vectors, where what it reads is `footprint` bytes
    /// in all, more than the second cache level. Typical peaks stand for unknown ones.
    double getBytesPerMultiplyAdd(int64_t footprint) const;
  }];
}

#endif // TENON_SCHEDULE
