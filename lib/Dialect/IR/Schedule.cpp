//===- Schedule.cpp - #tenon.schedule and #tenon.target --------------------------===//
//
// Verification and the canonical text of schedules. How schedules are chosen is the Schedule room's business.
//
//===----------------------------------------------------------------------===//
#include "FormatText.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

#define GET_ATTRDEF_CLASSES
#include "tenon/Dialect/IR/TenonAttrs.cpp.inc"

void TenonDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tenon/Dialect/IR/TenonAttrs.cpp.inc"
      >();
}

Attribute TenonDialect::parseAttribute(DialectAsmParser &parser, Type type) const {
  SMLoc loc = parser.getCurrentLocation();
  StringRef mnemonic;
  Attribute attribute;
  if (generatedAttributeParser(parser, &mnemonic, type, attribute).has_value())
    return attribute;
  if (mnemonic == kFormatMnemonic)
    return parseFormat(parser);
  parser.emitError(loc) << "unknown attribute '" << mnemonic << "' of the dialect 'tenon'";
  return {};
}

void TenonDialect::printAttribute(Attribute attribute, DialectAsmPrinter &printer) const {
  if (failed(generatedAttributePrinter(attribute, printer)))
    printFormat(attribute, printer);
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t version, StringRef algorithm,
                                   ArrayRef<int64_t> parallel, ArrayRef<int64_t> cache, ArrayRef<int64_t> order,
                                   ArrayRef<int64_t> registerTile, ArrayRef<int64_t> unroll, ArrayRef<int64_t> pack,
                                   ArrayRef<int64_t> prepack, int64_t vectorDim, int64_t vectorWidth,
                                   int64_t decodeRows, bool) {
  if (version != 1) // (C1)
    return emitError() << "expected schedule version 1, but got " << version;
  int64_t rank = 0;
  for (ArrayRef<int64_t> tiles : {parallel, cache, registerTile}) {
    for (int64_t tile : tiles)
      if (tile < 0) // (C2)
        return emitError() << "expected tile sizes of at least 0, but got " << tile;
    if (tiles.empty())
      continue;
    if (rank != 0 && rank != static_cast<int64_t>(tiles.size())) // (C6)
      return emitError() << "expected tile lists of one length, but got " << rank << " and " << tiles.size();
    rank = tiles.size();
  }
  for (ArrayRef<int64_t> dims : {order, unroll}) {
    llvm::SmallSet<int64_t, 8> seen;
    for (int64_t dim : dims)
      if (dim < 0 || (rank != 0 && dim >= rank) || !seen.insert(dim).second) // (C3)
        return emitError() << "expected distinct dimensions below " << rank << " in 'order' and 'unroll', but got "
                           << dim;
  }
  if (vectorDim < -1 || (rank != 0 && vectorDim >= rank)) // (C4)
    return emitError() << "expected 'vector_dim' to be -1 or below " << rank << ", but got " << vectorDim;
  if (vectorWidth < 1 || vectorWidth > 64 || !llvm::isPowerOf2_64(vectorWidth)) // (C5)
    return emitError() << "expected 'vector_width' to be a power of two up to 64, but got " << vectorWidth;
  if (!llvm::is_contained({"contract", "attention", "grouped", "winograd", "fft", "rows", "elementwise", "copy"},
                          algorithm)) // (C7)
    return emitError() << "expected 'algorithm' to be contract, attention, grouped, winograd, fft, rows, elementwise "
                          "or copy, but got '"
                       << algorithm << "'";
  bool packed[2] = {false, false};
  for (int64_t factor : llvm::concat<const int64_t>(pack, prepack))
    if (factor < 0 || factor > 1 || std::exchange(packed[factor], true)) // (C8)
      return emitError() << "expected 'pack' and 'prepack' to list 0 or 1 at most once, but got " << factor;
  if (decodeRows < 0) // (C9)
    return emitError() << "expected 'decode_rows' of at least 0, but got " << decodeRows;
  return success();
}

/// Canonical text: every field that differs from its default, always in the order of the declaration.
void ScheduleAttr::print(AsmPrinter &printer) const {
  printer << "<algorithm = \"" << getAlgorithm() << '"';
  auto list = [&](StringRef name, ArrayRef<int64_t> values) {
    if (values.empty())
      return;
    printer << ", " << name << " = [";
    llvm::interleaveComma(values, printer);
    printer << ']';
  };
  list("parallel", getParallel());
  list("cache", getCache());
  list("order", getOrder());
  list("register", getRegister_());
  list("unroll", getUnroll());
  list("pack", getPack());
  list("prepack", getPrepack());
  if (getVectorDim() != -1)
    printer << ", vector_dim = " << getVectorDim();
  if (getVectorWidth() != 1)
    printer << ", vector_width = " << getVectorWidth();
  if (getDecodeRows() != 0)
    printer << ", decode_rows = " << getDecodeRows();
  if (getInOrder())
    printer << ", in_order = true";
  printer << ", version = " << getVersion() << '>';
}

Attribute ScheduleAttr::parse(AsmParser &parser, Type) {
  int64_t version = 1, vectorDim = -1, vectorWidth = 1, decodeRows = 0;
  bool inOrder = false;
  std::string algorithm;
  SmallVector<int64_t> parallel, cache, order, registerTile, unroll, pack, prepack;
  llvm::SmallSet<StringRef, 8> seen;
  auto parseList = [&](SmallVector<int64_t> &values) {
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                          [&] { return parser.parseInteger(values.emplace_back()); });
  };
  auto parseField = [&]() -> ParseResult {
    StringRef key;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&key) || parser.parseEqual())
      return failure();
    if (!seen.insert(key).second)
      return parser.emitError(loc) << "field '" << key << "' of the schedule is given twice";
    if (key == "algorithm")
      return parser.parseString(&algorithm);
    if (key == "version")
      return parser.parseInteger(version);
    if (key == "vector_dim")
      return parser.parseInteger(vectorDim);
    if (key == "vector_width")
      return parser.parseInteger(vectorWidth);
    if (key == "decode_rows")
      return parser.parseInteger(decodeRows);
    if (key == "in_order") {
      inOrder = succeeded(parser.parseOptionalKeyword("true"));
      return inOrder ? success() : parser.parseKeyword("false", ", or 'true', for 'in_order'");
    }
    if (key == "parallel")
      return parseList(parallel);
    if (key == "cache")
      return parseList(cache);
    if (key == "order")
      return parseList(order);
    if (key == "register")
      return parseList(registerTile);
    if (key == "unroll")
      return parseList(unroll);
    if (key == "pack")
      return parseList(pack);
    if (key == "prepack")
      return parseList(prepack);
    return parser.emitError(loc) << "unknown field '" << key << "' of the schedule";
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseField))
    return {};
  return parser.getChecked<ScheduleAttr>(loc, parser.getContext(), version, algorithm, parallel, cache, order,
                                         registerTile, unroll, pack, prepack, vectorDim, vectorWidth, decodeRows,
                                         inOrder);
}

LogicalResult TargetAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef triple, StringRef cpu,
                                 StringRef features, int64_t vectorBits, int64_t vectorRegisters, int64_t l1,
                                 int64_t l2, int64_t l3, int64_t vectorFmas, int64_t peakGflops, int64_t l3Gbps,
                                 int64_t memoryGbps) {
  if (vectorBits != 128 && vectorBits != 256 && vectorBits != 512) // (C1)
    return emitError() << "expected 'vector_bits' to be 128, 256 or 512, but got " << vectorBits;
  for (int64_t value : {vectorRegisters, l1, l2, l3, vectorFmas})
    if (value <= 0) // (C2)
      return emitError() << "expected counts and cache sizes to be positive, but got " << value;
  for (int64_t value : {peakGflops, l3Gbps, memoryGbps})
    if (value < 0) // (C3)
      return emitError() << "expected peaks not to be negative, but got " << value;
  return success();
}

int64_t TargetAttr::getVectorElements(Type type) const {
  int64_t bits = std::max<int64_t>(8, type.isIndex() ? 64 : type.getIntOrFloatBitWidth());
  return std::max<int64_t>(1, getVectorBits() / bits);
}

double TargetAttr::getBytesPerMultiplyAdd(int64_t footprint) const {
  constexpr double kUsualGHz = 3.5, kUsualL3 = 60, kUsualMemory = 25;
  auto known = [](int64_t measured, double usual) { return measured > 0 ? static_cast<double>(measured) : usual; };
  double operations = 2.0 * getVectorBits() / 32;
  double peak = known(getPeakGflops(), operations * getVectorFmas() * kUsualGHz);
  double reads = footprint > getL3Bytes() ? known(getMemoryGbps(), kUsualMemory) : known(getL3Gbps(), kUsualL3);
  return reads / (peak / operations);
}
