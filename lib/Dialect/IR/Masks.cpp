//===- Masks.cpp - what masks are made of ---------------------------------------------===//
//
// Their verification, text and parts. What they mean is in MaskRules.cpp.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/IR/DialectImplementation.h"

#include <numeric>

using namespace mlir;
using namespace tenon;

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

bool tenon::isMask(Attribute attribute) {
  return isa_and_nonnull<CausalAttr, WindowAttr, PrefixAttr, DilatedAttr, StridedAttr, NeighborhoodAttr, DocumentAttr,
                         KeyIntervalAttr, AllOfAttr, AnyOfAttr, NotAttr, PerHeadAttr>(attribute);
}

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t left, int64_t right, MaskAlign) {
  if (left < -1 || right < -1) // (C1)
    return emitError() << "expected bounds of a window of at least -1, but got " << left << " and " << right;
  return success();
}

LogicalResult PrefixAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t length) {
  if (length < 0) // (C1)
    return emitError() << "expected the length of a prefix to be at least 0, but got " << length;
  return success();
}

LogicalResult DilatedAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t left, int64_t right,
                                  int64_t dilation, MaskAlign) {
  if (left < -1 || right < -1 || dilation < 1) // (C1)
    return emitError() << "expected bounds of a dilated window of at least -1 and a positive dilation, but got " << left
                       << ", " << right << " and " << dilation;
  return success();
}

LogicalResult StridedAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t stride, int64_t offset,
                                  int64_t block) {
  if (stride < 1 || block < 1 || offset < 0 || offset >= stride) // (C1)
    return emitError() << "expected a positive stride and block of keys, and an offset below the stride, but got "
                       << stride << ", " << block << " and " << offset;
  return success();
}

LogicalResult NeighborhoodAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t> grid,
                                       ArrayRef<int64_t> size, ArrayRef<int64_t> stride, ArrayRef<int64_t> dilation,
                                       ArrayRef<int64_t> causal, MaskAlign) {
  for (ArrayRef<int64_t> list : {size, stride, dilation, causal})
    if (grid.empty() || list.size() != grid.size()) // (C1)
      return emitError() << "expected lists of a neighborhood with an entry per dim of the grid, but got "
                         << list.size() << " for " << grid.size() << " dims";
  double places = 1;
  for (auto [length, width, step, spread, back] : llvm::zip(grid, size, stride, dilation, causal)) {
    places *= length;
    if (length < 1 || width < 1 || step < 1 || spread < 1 || step > width || width > length / spread || back < 0 ||
        back > 1 || places >= 2147483648.0) // (C2)
      return emitError()
             << "expected windows of a neighborhood that fit the grid, with a stride up to their size, but got "
                "length "
             << length << ", size " << width << ", stride " << step << ", dilation " << spread << ", causal " << back;
  }
  return success();
}

static LogicalResult verifyMasks(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  if (masks.empty())
    return emitError() << "expected at least one mask to combine, but got none";
  for (Attribute mask : masks)
    if (!isMask(mask))
      return emitError() << "expected a mask to combine, but got " << mask;
  return success();
}

LogicalResult AllOfAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, masks); // (C1)
}

LogicalResult AnyOfAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, masks); // (C1)
}

LogicalResult PerHeadAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<Attribute> masks) {
  return verifyMasks(emitError, masks); // (C1)
}

LogicalResult NotAttr::verify(function_ref<InFlightDiagnostic()> emitError, Attribute mask) {
  return verifyMasks(emitError, mask); // (C1)
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

Attribute NeighborhoodAttr::parse(AsmParser &parser, Type) {
  SmallVector<int64_t> grid, size, stride, dilation, causal;
  MaskAlign align = MaskAlign::end;
  auto parseEntry = [&]() -> ParseResult {
    StringRef key;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&key) || parser.parseEqual())
      return failure();
    if (key == "align") {
      StringRef text;
      if (parser.parseKeyword(&text))
        return failure();
      std::optional<MaskAlign> read = symbolizeMaskAlign(text);
      if (!read)
        return parser.emitError(loc) << "expected 'align' to be start or end, but got " << text;
      align = *read;
      return success();
    }
    SmallVector<int64_t> *list = key == "grid"       ? &grid
                                 : key == "size"     ? &size
                                 : key == "stride"   ? &stride
                                 : key == "dilation" ? &dilation
                                 : key == "causal"   ? &causal
                                                     : nullptr;
    if (!list)
      return parser.emitError(loc) << "expected grid, size, stride, dilation, causal or align, but got " << key;
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                          [&] { return parser.parseInteger(list->emplace_back()); });
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseEntry))
    return {};
  for (auto [list, neutral] : {std::pair(&stride, 1), std::pair(&dilation, 1), std::pair(&causal, 0)})
    if (list->empty())
      list->assign(grid.size(), neutral);
  return NeighborhoodAttr::getChecked([&] { return parser.emitError(loc); }, parser.getContext(), ArrayRef(grid),
                                      ArrayRef(size), ArrayRef(stride), ArrayRef(dilation), ArrayRef(causal), align);
}

void NeighborhoodAttr::print(AsmPrinter &printer) const {
  auto list = [&](ArrayRef<int64_t> entries) {
    printer << "[";
    llvm::interleaveComma(entries, printer);
    printer << "]";
  };
  printer << "<grid = ";
  list(getGrid());
  printer << ", size = ";
  list(getSize());
  for (auto [name, entries, neutral] :
       {std::tuple("stride", getStride(), 1), {"dilation", getDilation(), 1}, {"causal", getCausal(), 0}})
    if (llvm::any_of(entries, [neutral = neutral](int64_t entry) { return entry != neutral; })) {
      printer << ", " << name << " = ";
      list(entries);
    }
  if (getAlign() != MaskAlign::end)
    printer << ", align = " << stringifyMaskAlign(getAlign());
  printer << ">";
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static ArrayRef<Attribute> getParts(Attribute mask, Attribute &one) {
  if (auto all = dyn_cast_or_null<AllOfAttr>(mask))
    return all.getMasks();
  if (auto any = dyn_cast_or_null<AnyOfAttr>(mask))
    return any.getMasks();
  if (auto heads = dyn_cast_or_null<PerHeadAttr>(mask))
    return heads.getMasks();
  if (auto inverted = dyn_cast_or_null<NotAttr>(mask)) {
    one = inverted.getMask();
    return one;
  }
  return {};
}

SmallVector<MaskOperand> tenon::getMaskOperands(Attribute mask) {
  if (auto document = dyn_cast_or_null<DocumentAttr>(mask))
    return {{document.getQueries(), false}, {document.getKeys(), true}};
  if (auto interval = dyn_cast_or_null<KeyIntervalAttr>(mask))
    return {{interval.getLow(), false}, {interval.getHigh(), false}};
  SmallVector<MaskOperand> operands;
  Attribute one;
  for (Attribute part : getParts(mask, one))
    llvm::append_range(operands, getMaskOperands(part));
  return operands;
}

int64_t tenon::countHeadMasks(Attribute mask) {
  int64_t count = 1;
  if (auto heads = dyn_cast_or_null<PerHeadAttr>(mask))
    count = heads.getMasks().size();
  Attribute one;
  for (Attribute part : getParts(mask, one))
    count = std::lcm(count, countHeadMasks(part));
  return count;
}

Attribute tenon::getMaskOfHead(Attribute mask, int64_t head) {
  if (auto heads = dyn_cast_or_null<PerHeadAttr>(mask))
    return getMaskOfHead(heads.getMasks()[head % heads.getMasks().size()], head);
  Attribute one;
  SmallVector<Attribute> parts;
  for (Attribute part : getParts(mask, one))
    parts.push_back(getMaskOfHead(part, head));
  if (isa_and_nonnull<AllOfAttr>(mask))
    return AllOfAttr::get(mask.getContext(), parts);
  if (isa_and_nonnull<AnyOfAttr>(mask))
    return AnyOfAttr::get(mask.getContext(), parts);
  return isa_and_nonnull<NotAttr>(mask) ? NotAttr::get(mask.getContext(), parts[0]) : mask;
}

bool tenon::hasHoles(Attribute mask) {
  if (auto all = dyn_cast_or_null<AllOfAttr>(mask))
    return llvm::any_of(all.getMasks(), hasHoles);
  return mask && !isa<CausalAttr, WindowAttr, PrefixAttr>(mask);
}
