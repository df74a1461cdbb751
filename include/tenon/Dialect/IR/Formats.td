//===- Formats.td - low-precision storage: #tenon.format, dequantize, quantize ----===//
//
// A family with generated code of its own: TenonOps.td does not include this file, Tenon.h not its header.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_FORMATS
#define TENON_FORMATS

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_FormatAttr : Tenon_Attr<"Format", "format"> {
  let summary = "how numbers are stored in few bits";
  let description = [{
    What a code (the stored bits of one element) means, which elements share a scale, and where the bits lie:

      q     = codebook[code], or code - offset - zero
      value = scale * super_scale * q + minimum

    in f32, with a rounding after each operation, scales first; parts that a format lacks are left out. `group` elements
    along the axis of the op share scale, zero point and minimum; 0 means all of them. `super` elements share a
    `super_scale`.

    Without `block`, a tensor holds one code per element, and the parts of the groups are operands of the op. With
    `block`, the last dim of a tensor of bytes is a row of records, each of `bytes` bytes for `block` elements.
    `planes` says where the bits of the codes lie: `[at, bits, run]` adds `bits` bits above those of the planes before;
    element j of the record has them, with p = 8 / bits, in byte `at + j / (run * p) * run + j mod run`, from bit
    `j / run mod p * bits` on. `scale_at`, `minimum_at` and `super_at` are the bytes of the first group's parts, with
    the other groups' behind, little-endian; parts without a place are operands.

    Names stand for the block formats of GGUF files (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q6_K, IQ4_NL, MXFP4); a format that
    equals a named one is printed by its name.

    - (C1) `element` is siN or uiN with N from 1 to 8, an f8, f6 or f4 type, f16 or bf16.
    - (C2) `codebook` is for unsigned elements of at most 4 bits and has a value for each code.
    - (C3) `scale` and `minimum` are f32, f16, bf16 or f8E8M0FNU; a scale under a super-scale may be siN or uiN, N at
      most 8.
    - (C4) `zero` is siN or uiN with N at most 8; it and `offset` are for integer elements without codebook.
    - (C5) `super` and `super_scale`, f32, f16 or bf16, come together, with a scale; `super` is a multiple of `group`.
    - (C6) sizes are not negative; parts of groups need no `group`, but `group` needs such a part.
    - (C7) `planes`, `bytes` and places come with `block`; planes have 1, 2, 4 or 8 bits, which add up to the element's,
      and runs that divide the block.
    - (C8) planes and parts lie within the record, and the block is a multiple of `group` and `super` where these have
      parts in the record.

    Example:
    ```mlir
    #tenon.format<element = ui4, offset = 8, group = 128, scale = f16>
    #tenon.format<"Q4_0">  // element = ui4, offset = 8, group = 32, scale = f16, block = 32, bytes = 18,
                           // planes = [[2, 4, 16]], scale_at = 0
    ```
  }];
  let parameters = (ins
    "::mlir::Type":$element,
    OptionalParameter<"::mlir::DenseF32ArrayAttr", "value of each code; null: the code itself">:$codebook,
    "int64_t":$offset,
    OptionalParameter<"::mlir::Type">:$zero,
    "int64_t":$group,
    OptionalParameter<"::mlir::Type">:$scale,
    OptionalParameter<"::mlir::Type">:$minimum,
    "int64_t":$superGroup,
    OptionalParameter<"::mlir::Type">:$superScale,
    "int64_t":$block,
    "int64_t":$bytes,
    ArrayRefParameter<"int64_t", "three numbers a plane">:$planes,
    "int64_t":$scaleAt,
    "int64_t":$minimumAt,
    "int64_t":$superAt
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bits of a code.
    unsigned getBits() const { return getElement().getIntOrFloatBitWidth(); }
    bool isInteger() const { return ::llvm::isa<::mlir::IntegerType>(getElement()); }
    bool isSigned() const { return getElement().isSignedInteger(); }
    /// Whether codes lie in records of several elements.
    bool hasRecords() const { return getBlock() != 0; }
    /// Groups of `group` elements, or all, that `extent` elements have.
    static int64_t countGroups(int64_t extent, int64_t group) {
      return group == 0 ? 1 : (extent + group - 1) / group;
    }
    /// Whether the part is an operand of the op.
    bool hasScaleOperand() const { return getScale() && getScaleAt() < 0; }
    bool hasMinimumOperand() const { return getMinimum() && getMinimumAt() < 0; }
    bool hasSuperOperand() const { return getSuperScale() && getSuperAt() < 0; }
    /// The format of a GGUF tensor type; null where there is none of that name.
    static FormatAttr getNamed(::mlir::MLIRContext *context, ::llvm::StringRef name);
    /// The same codes with another offset, and without zero points.
    FormatAttr withOffset(int64_t offset) const;
  }];
}

class Tenon_FormatOp<string mnemonic> : Tenon_Op<mnemonic,
    [Pure, AttrSizedOperandSegments,
     DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let hasVerifier = 1;
}

def Tenon_DequantizeOp : Tenon_FormatOp<"dequantize"> {
  let summary = "numbers from codes";
  let description = [{
    The values that `codes` stand for by `format` (whose description has the formula), rounded to the result's element
    type. Groups run along dim `axis`. `scales`, `zeros`, `minimums` and `supers` are the parts of the groups that lie
    in no record; a size of 1 stands for all elements along that dim. A contraction that reads the result decodes it
    in registers: the values need not exist in memory.

    - (C1) `axis` is a dim of `codes`, the last one where the format has records.
    - (C2) codes are i8 where the format has records, else signless integers as wide as the element or i8, or of the
      element's float type.
    - (C3) the result has the shape of `codes`; its last dim, where there are records, is static, and its records have
      as many bytes as the last dim of `codes`.
    - (C4) the format says which parts are operands.
    - (C5) a part's rank is that of `codes`. Along `axis` it has one element per group, along other dims as many as the
      result or 1.
    - (C6) a part's element type is the format's; integers are signless, of that width or i8.
    - (C7) the result's element type is f32, f16 or bf16.

    Example:
    ```mlir
    %w = tenon.dequantize %codes scales %s : tensor<32x4096xf16> zeros %z : tensor<32x4096xi4> axis 0
        format <element = ui4, zero = ui4, group = 128, scale = f16> : tensor<4096x4096xi4> -> tensor<4096x4096xf32>
    %v = tenon.dequantize %bytes axis 1 format <"Q4_0"> : tensor<576x324xi8> -> tensor<576x576xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$codes, Optional<AnyRankedTensor>:$scales, Optional<AnyRankedTensor>:$zeros,
    Optional<AnyRankedTensor>:$minimums, Optional<AnyRankedTensor>:$supers, I64Attr:$axis, Tenon_FormatAttr:$format);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $codes (`scales` $scales^ `:` type($scales))? (`zeros` $zeros^ `:` type($zeros))?
    (`minimums` $minimums^ `:` type($minimums))? (`supers` $supers^ `:` type($supers))? `axis` $axis
    `format` $format attr-dict `:` type($codes) `->` type($result)
  }];
  let hasCanonicalizer = 1;
}

def Tenon_QuantizeOp : Tenon_FormatOp<"quantize"> {
  let summary = "codes from numbers, with given scales";
  let description = [{
    The codes whose values are nearest to `input` when its elements are divided by the scales, in f32:

      t    = (input - minimum) / (scale * super_scale)
      code = saturate(roundeven(t) + offset + zero)       integers
      code = saturate(t)                                  floats: rounded to nearest even, at most the largest finite
      code = the entry nearest to t, the first of equals  codebooks

    NaN becomes NaN where the element type has it, else code 0. Parts are operands as in `tenon.dequantize`.

    - (C1) `axis` is a dim of `input`.
    - (C2) the format has no records.
    - (C3) the result has the shape of `input`, and the element type of codes: a signless integer as wide as the
      element or i8, or the element's float type.
    - (C4) the format says which parts there are.
    - (C5) a part's rank is that of `input`. Along `axis` it has one element per group, along other dims as many as
      `input` or 1.
    - (C6) a part's element type is the format's; integers are signless, of that width or i8.
    - (C7) the input's element type is f32, f16 or bf16.

    Example:
    ```mlir
    %q = tenon.quantize %x scales %s : tensor<1x1xf32> axis 1 format <element = si8, scale = f32>
        : tensor<4x8xf32> -> tensor<4x8xi8>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<AnyRankedTensor>:$scales, Optional<AnyRankedTensor>:$zeros,
    Optional<AnyRankedTensor>:$minimums, Optional<AnyRankedTensor>:$supers, I64Attr:$axis, Tenon_FormatAttr:$format);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`scales` $scales^ `:` type($scales))? (`zeros` $zeros^ `:` type($zeros))?
    (`minimums` $minimums^ `:` type($minimums))? (`supers` $supers^ `:` type($supers))? `axis` $axis
    `format` $format attr-dict `:` type($input) `->` type($result)
  }];
}

def Tenon_LookUpOp : Tenon_Op<"look_up", !listconcat([Pure], ElementwiseMappable.traits)> {
  let summary = "the number that a code of few bits stands for, from a list";
  let description = [{
    The entry of `values`, 2^n of them, that the low n bits of `code` number; the other bits do not matter. Vectors of
    codes become permutations of registers.

    - (C1) there are 2, 4, 8 or 16 values.
    - (C2) codes are i32, results f32, of one shape.

    Example:
    ```mlir
    %v = tenon.look_up %code in [-1.0, 0.0, 1.0, 0.0] : i32 -> f32
    ```
  }];
  let arguments = (ins TypeOrValueSemanticsContainer<I32, "i32, or vectors or tensors of it">:$code,
                       DenseF32ArrayAttr:$values);
  let results = (outs TypeOrValueSemanticsContainer<F32, "f32, or vectors or tensors of it">:$result);
  let assemblyFormat = "$code `in` $values attr-dict `:` type($code) `->` type($result)";
  let hasVerifier = 1;
}

#endif // TENON_FORMATS
