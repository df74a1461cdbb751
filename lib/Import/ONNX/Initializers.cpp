//===- Initializers.cpp - constants and weights -------------------------------------===//
//
// Small tensors become known elements, others `tenon.weight` symbols into the model file, a file of external data
// (which must lie in the model's folder, not behind links) or a blob that accompanies the module.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"
#include "tenon/Support/Files.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace tenon::onnx;
using llvm::StringRef;
using llvm::Twine;

/// Bytes of the typed data fields in the archive's layout, or nullopt when their number is wrong.
static std::optional<std::vector<char>> packTyped(const proto::Tensor &t, int64_t count) {
  using namespace proto;
  std::vector<char> out;
  auto put = [&](auto v) {
    const char *p = reinterpret_cast<const char *>(&v);
    out.insert(out.end(), p, p + sizeof(v));
  };
  auto check = [&](size_t n) { return static_cast<int64_t>(n) == count; };
  switch (t.dataType) {
  case proto::Float:
    if (!check(t.floats.size()))
      return std::nullopt;
    for (float f : t.floats)
      put(f);
    return out;
  case proto::Double:
    if (!check(t.doubles.size()))
      return std::nullopt;
    for (double d : t.doubles)
      put(d);
    return out;
  case UInt64:
  case Int64:
    if (!check(t.ints.size()))
      return std::nullopt;
    for (int64_t i : t.ints)
      put(i);
    return out;
  case UInt32:
  case Int32:
    if (!check(t.ints.size()))
      return std::nullopt;
    for (int64_t i : t.ints)
      put(static_cast<int32_t>(i));
    return out;
  case UInt16:
  case Int16:
  case proto::Float16:
  case proto::BFloat16:
    if (!check(t.ints.size()))
      return std::nullopt;
    for (int64_t i : t.ints)
      put(static_cast<int16_t>(i));
    return out;
  case UInt4:
  case Int4:
  case Float4E2M1:
    if (!(static_cast<int64_t>(t.ints.size()) == (count + 1) / 2))
      return std::nullopt;
    for (int64_t i : t.ints)
      put(static_cast<int8_t>(i));
    return out;
  case UInt2:
  case Int2:
    if (!(static_cast<int64_t>(t.ints.size()) == (count + 3) / 4))
      return std::nullopt;
    for (int64_t i : t.ints)
      put(static_cast<int8_t>(i));
    return out;
  default:
    if (!check(t.ints.size()))
      return std::nullopt;
    for (int64_t i : t.ints)
      put(static_cast<int8_t>(i));
    return out;
  }
}

std::optional<SmallVector<OpFoldResult>> tenon::onnx::readElements(const proto::Tensor &t, StringRef bytes, Type type,
                                                                   int64_t count, std::string &why) {
  unsigned width = type.getIntOrFloatBitWidth();
  SmallVector<OpFoldResult> result;
  for (int64_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    if (width < 8 && width > 1) {
      unsigned per = 8 / width;
      bits = (static_cast<uint8_t>(bytes[i / per]) >> (width * (i % per))) & ((1u << width) - 1);
    } else if (width == 1) {
      bits = bytes[i] != 0;
    } else {
      std::memcpy(&bits, bytes.data() + i * (width / 8), width / 8);
    }
    APInt value(width, bits, false, true);
    if (auto f = dyn_cast<FloatType>(type))
      result.push_back(FloatAttr::get(f, APFloat(f.getFloatSemantics(), value)));
    else
      result.push_back(IntegerAttr::get(type, value));
  }
  return result;
}

std::optional<StringRef> Importer::bytesOf(const proto::Tensor &t, std::string &file, uint64_t &offset,
                                           std::string &why) {
  if (t.external) {
    StringRef location;
    uint64_t start = 0, length = UINT64_MAX;
    for (auto [key, value] : t.externalData) {
      if (key == "location")
        location = value;
      else if ((key == "offset" && value.getAsInteger(10, start)) ||
               (key == "length" && value.getAsInteger(10, length))) {
        why = ("external data has a malformed " + key + " '" + value + "'").str();
        return std::nullopt;
      }
    }
    namespace path = llvm::sys::path;
    if (location.empty()) {
      why = "external data names no file";
      return std::nullopt;
    }
    if (location.contains('\0') || path::is_absolute(location) ||
        llvm::any_of(llvm::make_range(path::begin(location), path::end(location)),
                     [](StringRef part) { return part == ".."; })) {
      why = ("external data '" + location + "' lies outside the model's folder").str();
      return std::nullopt;
    }
    llvm::SmallString<256> full(baseDir);
    if (full.empty())
      full = ".";
    // No part of the way may be a link: it could lead anywhere.
    for (auto it = path::begin(location), e = path::end(location); it != e; ++it) {
      path::append(full, *it);
      if (llvm::sys::fs::is_symlink_file(full)) {
        why = ("external data '" + location + "' is a symbolic link").str();
        return std::nullopt;
      }
    }
    llvm::sys::fs::make_absolute(full);
    auto &buffer = externalFiles[full.str().str()];
    if (!buffer) {
      if (!llvm::sys::fs::is_regular_file(full)) {
        why = ("external data '" + location + "' is not a file").str();
        return std::nullopt;
      }
      std::string stamp = stampFile(full.str().str());
      auto opened = llvm::MemoryBuffer::getFile(full, false, false);
      if (!opened) {
        why = ("external data '" + location + "': " + opened.getError().message()).str();
        return std::nullopt;
      }
      blobs.files[full.str().str()] = std::move(stamp);
      buffer = std::move(*opened);
    }
    StringRef all = buffer->getBuffer();
    if (start > all.size() || (length != UINT64_MAX && length > all.size() - start)) {
      why = ("external data '" + location + "' is too short: " + Twine(all.size()) + " bytes").str();
      return std::nullopt;
    }
    file = full.str().str();
    offset = start;
    return all.substr(start, length == UINT64_MAX ? StringRef::npos : length);
  }
  file = archive.str();
  offset = t.raw.data() - modelBytes.data();
  return t.raw;
}

V Importer::initializer(const proto::Tensor &t, const Twine &what) {
  auto bad = [&](const Twine &why) -> V {
    report(what + ": " + why);
    return nullptr;
  };
  Type type = elementType(context, t.dataType);
  if (!type)
    return bad("element type " + dtypeName(t.dataType) + " is not supported");
  int64_t count = 1;
  for (int64_t d : t.dims) {
    if (d < 0)
      return bad("has a negative dim");
    if (llvm::MulOverflow(count, d, count))
      return bad("the number of elements does not fit 64 bits");
  }
  std::optional<int64_t> size = getStorageBytes(type, count);
  if (!size)
    return bad("the number of bytes does not fit 64 bits");
  std::string file, why;
  uint64_t offset = 0;
  StringRef bytes;
  std::vector<char> packed;
  bool contiguous = t.hasRaw || t.external;
  if (contiguous) {
    auto found = bytesOf(t, file, offset, why);
    if (!found)
      return bad(why);
    bytes = *found;
    if (static_cast<int64_t>(bytes.size()) < *size || (!t.external && static_cast<int64_t>(bytes.size()) != *size))
      return bad("expected " + Twine(*size) + " bytes of data, but got " + Twine(bytes.size()));
  } else {
    auto typed = packTyped(t, count);
    if (!typed)
      return bad("the number of elements of its data is not that of its shape");
    packed = std::move(*typed);
    bytes = StringRef(packed.data(), packed.size());
  }
  auto v = std::make_shared<Val>();
  v->dtype = t.dataType;
  for (int64_t d : t.dims)
    v->dims.push_back(b.getIndexAttr(d));
  v->weight = &t;
  if (count <= 64 || (count <= 1024 && isIntDType(t.dataType))) {
    auto elements = readElements(t, bytes, type, count, why);
    v->isKnown = true;
    v->known = std::move(*elements);
    return v;
  }
  if (weights.count(&t)) // a loop's body is imported more than once
    return v;
  std::string base = t.name.empty() ? "constant" : t.name.str(), symbol = base;
  for (int i = 0; symbol == "main" || !symbols.insert(symbol).second; ++i)
    symbol = base + "." + std::to_string(i);
  if (!contiguous || (file.empty() && !t.external)) {
    blobs.blobs[symbol] = contiguous ? std::vector<char>(bytes.begin(), bytes.end()) : std::move(packed);
    file = "mem:" + symbol;
    offset = 0;
  }
  OpBuilder mb(context);
  mb.setInsertionPoint(main);
  auto tensorType = RankedTensorType::get(t.dims, type);
  WeightOp::create(mb, NameLoc::get(b.getStringAttr(symbol)), symbol, file, offset, *size, tensorType, nullptr);
  OpBuilder eb(context);
  eb.setInsertionPointToStart(&main.getBody().front());
  weights[&t] = LoadWeightOp::create(eb, NameLoc::get(b.getStringAttr(symbol)), tensorType, symbol);
  return v;
}

Value Importer::entryWeight(const V &v) { return weights.lookup(v->weight); }

Value Importer::entryConstant(DenseElementsAttr attr) {
  Value &v = constants[attr];
  if (!v) {
    OpBuilder eb(context);
    eb.setInsertionPointToStart(&main.getBody().front());
    v = arith::ConstantOp::create(eb, b.getLoc(), attr);
  }
  return v;
}
