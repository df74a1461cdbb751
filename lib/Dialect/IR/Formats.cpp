//===- Formats.cpp - #tenon.format ---------------------------------------------------===//
//
// The text of formats, their rules, and the block formats that files know by name. The numbers of the rules are those
// of Formats.td; what codes mean is told there.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Formats.h"
#include "FormatText.h"

#include "mlir/AsmParser/AsmParser.h"
#include "llvm/ADT/SmallSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include <optional>

using namespace mlir;
using namespace tenon;

#define GET_ATTRDEF_CLASSES
#include "tenon/Dialect/IR/FormatsAttrs.cpp.inc"

void TenonDialect::registerFormats() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tenon/Dialect/IR/FormatsAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/FormatsOps.cpp.inc"
      >();
}

Attribute tenon::parseFormat(AsmParser &parser) { return FormatAttr::parse(parser, {}); }

void tenon::printFormat(Attribute attribute, AsmPrinter &printer) {
  printer << kFormatMnemonic;
  cast<FormatAttr>(attribute).print(printer);
}

//===----------------------------------------------------------------------===//
// Named formats
//===----------------------------------------------------------------------===//

namespace {

struct Named {
  StringRef name, fields;
};

/// The records of GGUF files, as ggml's block structs have them.
constexpr Named kNamed[] = {
    {"Q4_0", "element = ui4, offset = 8, group = 32, scale = f16, block = 32, bytes = 18, planes = [[2, 4, 16]], "
             "scale_at = 0"},
    {"Q4_1", "element = ui4, group = 32, scale = f16, minimum = f16, block = 32, bytes = 20, planes = [[4, 4, 16]], "
             "scale_at = 0, minimum_at = 2"},
    {"Q5_0", "element = ui5, offset = 16, group = 32, scale = f16, block = 32, bytes = 22, "
             "planes = [[6, 4, 16], [2, 1, 1]], scale_at = 0"},
    {"Q5_1", "element = ui5, group = 32, scale = f16, minimum = f16, block = 32, bytes = 24, "
             "planes = [[8, 4, 16], [4, 1, 1]], scale_at = 0, minimum_at = 2"},
    {"Q8_0", "element = si8, group = 32, scale = f16, block = 32, bytes = 34, planes = [[2, 8, 1]], scale_at = 0"},
    {"Q6_K", "element = ui6, offset = 32, group = 16, scale = si8, super = 256, super_scale = f16, block = 256, "
             "bytes = 210, planes = [[0, 4, 64], [128, 2, 32]], scale_at = 192, super_at = 208"},
    {"IQ4_NL", "element = ui4, codebook = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], "
               "group = 32, scale = f16, block = 32, bytes = 18, planes = [[2, 4, 16]], scale_at = 0"},
    {"MXFP4", "element = f4E2M1FN, group = 32, scale = f8E8M0FNU, block = 32, bytes = 17, planes = [[1, 4, 16]], "
              "scale_at = 0"},
};

} // namespace

FormatAttr FormatAttr::getNamed(MLIRContext *context, StringRef name) {
  for (const Named &named : kNamed)
    if (named.name == name)
      return cast<FormatAttr>(mlir::parseAttribute(("#tenon.format<" + named.fields + ">").str(), context));
  return {};
}

FormatAttr FormatAttr::withOffset(int64_t offset) const {
  return get(getContext(), getElement(), getCodebook(), offset, /*zero=*/Type(), getGroup(), getScale(), getMinimum(),
             getSuperGroup(), getSuperScale(), getBlock(), getBytes(), getPlanes(), getScaleAt(), getMinimumAt(),
             getSuperAt());
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// Every field that differs from its default, always in the order of the declaration.
static void printFields(FormatAttr format, raw_ostream &os) {
  os << "element = " << format.getElement();
  auto type = [&](StringRef name, Type value) {
    if (value)
      os << ", " << name << " = " << value;
  };
  auto number = [&](StringRef name, int64_t value, int64_t normal = 0) {
    if (value != normal)
      os << ", " << name << " = " << value;
  };
  if (format.getCodebook()) {
    os << ", codebook = [";
    llvm::interleaveComma(format.getCodebook().asArrayRef(), os, [&](float value) {
      SmallString<16> text; // the shortest that reads back as the same number
      APFloat(value).toString(text);
      os << text;
    });
    os << ']';
  }
  number("offset", format.getOffset());
  type("zero", format.getZero());
  number("group", format.getGroup());
  type("scale", format.getScale());
  type("minimum", format.getMinimum());
  number("super", format.getSuperGroup());
  type("super_scale", format.getSuperScale());
  number("block", format.getBlock());
  number("bytes", format.getBytes());
  if (!format.getPlanes().empty()) {
    os << ", planes = [";
    for (size_t i = 0; i + 2 < format.getPlanes().size(); i += 3)
      os << (i ? ", [" : "[") << format.getPlanes()[i] << ", " << format.getPlanes()[i + 1] << ", "
         << format.getPlanes()[i + 2] << ']';
    os << ']';
  }
  number("scale_at", format.getScaleAt(), -1);
  number("minimum_at", format.getMinimumAt(), -1);
  number("super_at", format.getSuperAt(), -1);
}

static std::string getFields(FormatAttr format) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  printFields(format, stream);
  return text;
}

void FormatAttr::print(AsmPrinter &printer) const {
  std::string fields = getFields(*this);
  for (const Named &named : kNamed)
    if (named.fields == fields) {
      printer << "<\"" << named.name << "\">";
      return;
    }
  printer << '<' << fields << '>';
}

namespace {

/// The fields as they are read, in any order.
class Parser {
public:
  explicit Parser(AsmParser &parser) : parser(parser) {}

  Attribute run() {
    SMLoc loc = parser.getCurrentLocation();
    std::string name;
    if (parser.parseLess())
      return {};
    if (succeeded(parser.parseOptionalString(&name))) {
      FormatAttr format = FormatAttr::getNamed(parser.getContext(), name);
      if (!format) {
        parser.emitError(loc) << "no format has the name '" << name << "'";
        return {};
      }
      return parser.parseGreater() ? FormatAttr() : format;
    }
    if (parser.parseCommaSeparatedList([&] { return parseField(); }) || parser.parseGreater())
      return {};
    DenseF32ArrayAttr values =
        codebook.empty() ? DenseF32ArrayAttr() : DenseF32ArrayAttr::get(parser.getContext(), codebook);
    return parser.getChecked<FormatAttr>(loc, parser.getContext(), element, values, offset, zero, group, scale, minimum,
                                         superGroup, superScale, block, bytes, planes, scaleAt, minimumAt, superAt);
  }

private:
  ParseResult parseField() {
    StringRef key;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&key) || parser.parseEqual())
      return failure();
    if (!seen.insert(key).second)
      return parser.emitError(loc) << "field '" << key << "' of the format is given twice";
    for (auto [name, type] : {std::pair<StringRef, Type *>("element", &element),
                              {"zero", &zero},
                              {"scale", &scale},
                              {"minimum", &minimum},
                              {"super_scale", &superScale}})
      if (key == name)
        return parser.parseType(*type);
    for (auto [name, number] : {std::pair<StringRef, int64_t *>("offset", &offset),
                                {"group", &group},
                                {"super", &superGroup},
                                {"block", &block},
                                {"bytes", &bytes},
                                {"scale_at", &scaleAt},
                                {"minimum_at", &minimumAt},
                                {"super_at", &superAt}})
      if (key == name)
        return parser.parseInteger(*number);
    if (key == "codebook")
      return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] { return parseValue(); });
    if (key == "planes")
      return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] { return parsePlane(); });
    return parser.emitError(loc) << "unknown field '" << key << "' of the format";
  }

  ParseResult parseValue() {
    int64_t whole = 0;
    double value = 0;
    float sign = succeeded(parser.parseOptionalMinus()) ? -1 : 1;
    OptionalParseResult isWhole = parser.parseOptionalInteger(whole);
    if (isWhole.has_value())
      value = whole;
    else if (parser.parseFloat(value))
      return failure();
    codebook.push_back(sign * static_cast<float>(value));
    return success();
  }

  ParseResult parsePlane() {
    return failure(parser.parseLSquare() || parser.parseInteger(planes.emplace_back()) || parser.parseComma() ||
                   parser.parseInteger(planes.emplace_back()) || parser.parseComma() ||
                   parser.parseInteger(planes.emplace_back()) || parser.parseRSquare());
  }

  AsmParser &parser;
  llvm::SmallSet<StringRef, 16> seen;
  Type element, zero, scale, minimum, superScale;
  int64_t offset = 0, group = 0, superGroup = 0, block = 0, bytes = 0, scaleAt = -1, minimumAt = -1, superAt = -1;
  SmallVector<float> codebook;
  SmallVector<int64_t> planes;
};

} // namespace

Attribute FormatAttr::parse(AsmParser &parser, Type) { return Parser(parser).run(); }

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

static bool isSmallInteger(Type type) {
  return type && (type.isSignedInteger() || type.isUnsignedInteger()) && type.getIntOrFloatBitWidth() <= 8;
}

static bool isSmallFloat(Type type) {
  return isa_and_nonnull<Float8E4M3FNType, Float8E4M3FNUZType, Float8E5M2Type, Float8E5M2FNUZType, Float8E4M3Type,
                         Float8E3M4Type, Float8E4M3B11FNUZType, Float6E2M3FNType, Float6E3M2FNType, Float4E2M1FNType>(
      type);
}

static bool isWideFloat(Type type) { return isa_and_nonnull<Float32Type, Float16Type, BFloat16Type>(type); }

/// A part of the groups as it lies in a record.
struct Part {
  StringRef name;
  Type type;
  int64_t at, group;
};

LogicalResult FormatAttr::verify(function_ref<InFlightDiagnostic()> emitError, Type element, DenseF32ArrayAttr codebook,
                                 int64_t offset, Type zero, int64_t group, Type scale, Type minimum, int64_t superGroup,
                                 Type superScale, int64_t block, int64_t bytes, ArrayRef<int64_t> planes,
                                 int64_t scaleAt, int64_t minimumAt, int64_t superAt) {
  if (!isSmallInteger(element) && !isSmallFloat(element) && !isa_and_nonnull<Float16Type, BFloat16Type>(element)) {
    InFlightDiagnostic error = emitError(); // (C1)
    error << "expected 'element' to be siN or uiN of at most 8 bits, an f8, f6 or f4 type, f16 or bf16, but got ";
    return element ? error << element : error << "none";
  }
  int64_t bits = element.getIntOrFloatBitWidth();
  if (codebook && (!element.isUnsignedInteger() || bits > 4)) // (C2)
    return emitError() << "expected an unsigned element of at most 4 bits with a 'codebook', but got " << element;
  if (codebook && codebook.size() != int64_t(1) << bits) // (C2)
    return emitError() << "expected a 'codebook' of " << (1 << bits) << " values, but got " << codebook.size();
  for (auto [name, type] : {std::pair<StringRef, Type>("scale", scale), {"minimum", minimum}})
    if (type && !isWideFloat(type) && !isa<Float8E8M0FNUType>(type) &&
        !(name == "scale" && superScale && isSmallInteger(type))) // (C3)
      return emitError() << "expected '" << name << "' to be f32, f16, bf16 or f8E8M0FNU, but got " << type;
  if (zero && !isSmallInteger(zero)) // (C4)
    return emitError() << "expected 'zero' to be siN or uiN of at most 8 bits, but got " << zero;
  if ((zero || offset != 0) && (!isSmallInteger(element) || codebook)) // (C4)
    return emitError() << "expected no 'zero' and no 'offset' but for integer elements without codebook, but got "
                       << element;
  if ((superGroup != 0) != (superScale != nullptr) || (superScale && !scale)) // (C5)
    return emitError() << "expected 'super' and 'super_scale' to come together, with a scale, but got " << superGroup;
  if (superScale && !isWideFloat(superScale)) // (C5)
    return emitError() << "expected 'super_scale' to be f32, f16 or bf16, but got " << superScale;
  if (superGroup != 0 && (group == 0 || superGroup % group != 0)) // (C5)
    return emitError() << "expected 'super' to be a multiple of 'group', but got " << superGroup << " and " << group;
  for (int64_t size : {group, superGroup, block, bytes})
    if (size < 0) // (C6)
      return emitError() << "expected sizes of at least 0, but got " << size;
  if (group != 0 && !scale && !zero && !minimum) // (C6)
    return emitError() << "expected a scale, zero point or minimum where there are groups, but got none and groups of "
                       << group;
  SmallVector<Part, 3> parts;
  for (Part part : {Part{"scale_at", scale, scaleAt, group}, Part{"minimum_at", minimum, minimumAt, group},
                    Part{"super_at", superScale, superAt, superGroup}})
    if (part.at >= 0)
      parts.push_back(part);
  if (block == 0) {
    if (bytes != 0 || !planes.empty() || !parts.empty()) // (C7)
      return emitError() << "expected no 'planes', 'bytes' and places without 'block', but got " << bytes << " bytes";
    return success();
  }
  int64_t sum = 0;
  for (size_t i = 0; i + 2 < planes.size(); i += 3) {
    int64_t at = planes[i], count = planes[i + 1], run = planes[i + 2];
    if (!llvm::is_contained({1, 2, 4, 8}, count)) // (C7)
      return emitError() << "expected planes of 1, 2, 4 or 8 bits, but got " << count;
    if (run < 1 || block % (run * (8 / count)) != 0) // (C7)
      return emitError() << "expected runs of a plane to fill whole bytes of a block of " << block
                         << ", but got runs of " << run;
    if (at < 0 || at + block * count / 8 > bytes) // (C8)
      return emitError() << "expected planes within " << bytes << " bytes, but got " << block * count / 8
                         << " bytes at " << at;
    sum += count;
  }
  if (sum != bits) // (C7)
    return emitError() << "expected planes of " << bits << " bits together, but got " << sum;
  for (const Part &part : parts) {
    if (!part.type || part.group == 0 || block % part.group != 0) // (C8)
      return emitError() << "expected a block of whole groups for '" << part.name << "', but got " << block << " and "
                         << part.group;
    int64_t size = block / part.group * ((part.type.getIntOrFloatBitWidth() + 7) / 8);
    if (part.at + size > bytes) // (C8)
      return emitError() << "expected the parts at '" << part.name << "' within " << bytes << " bytes, but got " << size
                         << " bytes at " << part.at;
  }
  return success();
}
