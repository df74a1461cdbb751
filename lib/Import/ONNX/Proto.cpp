//===- Proto.cpp - reading the protobuf wire format ------------------------------===//
//
// A bounds-checked reader: every length is compared with what is left before it is used, nesting is limited, unknown
// fields are skipped. Nothing here knows what an operator is.
//
//===----------------------------------------------------------------------===//
#include "Proto.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"

#include <cstring>

using namespace tenon::onnx::proto;
using llvm::StringRef;

namespace {

constexpr int kMaxDepth = 100;

class Reader {
public:
  Reader(const char *base, StringRef bytes, std::string &error) : base(base), bytes(bytes), error(error) {}

  bool atEnd() const { return pos >= bytes.size(); }

  bool fail(const llvm::Twine &what) {
    if (error.empty())
      error = ("malformed model: " + what + " at byte " + llvm::Twine(bytes.data() + pos - base)).str();
    return false;
  }
  bool varint(uint64_t &value) {
    value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (atEnd())
        return fail("the file ends inside a number");
      uint8_t byte = bytes[pos++];
      if (shift < 64)
        value |= uint64_t(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return fail("a number of more than ten bytes");
  }
  bool tag(uint32_t &field, uint32_t &wire) {
    uint64_t value;
    if (!varint(value))
      return false;
    field = static_cast<uint32_t>(value >> 3);
    wire = value & 7;
    if (field == 0 || value >> 32)
      return fail("an invalid field number");
    return true;
  }
  bool chunk(StringRef &out) {
    uint64_t length;
    if (!varint(length))
      return false;
    if (length > bytes.size() - pos)
      return fail("a field of " + llvm::Twine(length) + " bytes where only " + llvm::Twine(bytes.size() - pos) +
                  " are left");
    out = bytes.substr(pos, length);
    pos += length;
    return true;
  }
  bool fixed(unsigned size, uint64_t &value) {
    if (bytes.size() - pos < size)
      return fail("the file ends inside a number");
    value = size == 4 ? llvm::support::endian::read32le(bytes.data() + pos)
                      : llvm::support::endian::read64le(bytes.data() + pos);
    pos += size;
    return true;
  }
  bool skip(uint32_t wire, int depth = 0) {
    uint64_t value;
    StringRef ignored;
    switch (wire) {
    case 0:
      return varint(value);
    case 1:
      return fixed(8, value);
    case 2:
      return chunk(ignored);
    case 5:
      return fixed(4, value);
    case 3:
      if (depth > kMaxDepth)
        return fail("groups nested too deeply");
      while (true) {
        uint32_t f, w;
        if (!tag(f, w))
          return false;
        if (w == 4)
          return true;
        if (!skip(w, depth + 1))
          return false;
      }
    default:
      return fail("an unknown wire type");
    }
  }

  const char *base;
  StringRef bytes;
  std::string &error;
  size_t pos = 0;
};

/// Reads one message: calls `field(number, wire, reader)` per field, which consumes its value and returns true, or
/// returns false after a failure; fields it does not know it leaves to `reader.skip`.
template <typename Fn> bool message(const char *base, StringRef bytes, std::string &error, Fn field) {
  Reader r(base, bytes, error);
  while (!r.atEnd()) {
    uint32_t number, wire;
    if (!r.tag(number, wire) || !field(number, wire, r))
      return false;
  }
  return true;
}

bool str(Reader &r, uint32_t wire, StringRef &out) {
  return wire == 2 ? r.chunk(out) : r.fail("a field of the wrong wire type");
}
bool num(Reader &r, uint32_t wire, int64_t &out) {
  uint64_t value;
  if (wire != 0)
    return r.fail("a field of the wrong wire type");
  if (!r.varint(value))
    return false;
  out = static_cast<int64_t>(value);
  return true;
}
bool num32(Reader &r, uint32_t wire, int32_t &out) {
  int64_t value;
  if (!num(r, wire, value))
    return false;
  out = static_cast<int32_t>(value);
  return true;
}
bool nums(Reader &r, uint32_t wire, std::vector<int64_t> &out) {
  if (wire == 0) {
    int64_t value;
    if (!num(r, wire, value))
      return false;
    out.push_back(value);
    return true;
  }
  StringRef packed;
  if (!str(r, wire, packed))
    return false;
  Reader inner(r.base, packed, r.error);
  while (!inner.atEnd()) {
    int64_t value;
    if (!num(inner, 0, value))
      return false;
    out.push_back(value);
  }
  return true;
}
template <typename T> bool reals(Reader &r, uint32_t wire, std::vector<T> &out) {
  if (wire == (sizeof(T) == 4 ? 5u : 1u)) {
    uint64_t value;
    if (!r.fixed(sizeof(T), value))
      return false;
    T real;
    std::memcpy(&real, &value, sizeof(T));
    out.push_back(real);
    return true;
  }
  StringRef packed;
  if (!str(r, wire, packed))
    return false;
  if (packed.size() % sizeof(T))
    return r.fail("packed numbers of a broken length");
  size_t old = out.size();
  out.resize(old + packed.size() / sizeof(T));
  if (!packed.empty())
    std::memcpy(out.data() + old, packed.data(), packed.size());
  return true;
}

struct Parser {
  const char *base;
  std::string &error;

  template <typename T, typename Fn> bool sub(Reader &r, uint32_t wire, T &out, Fn parse) {
    StringRef bytes;
    return str(r, wire, bytes) && parse(bytes, out);
  }

  bool tensor(StringRef bytes, Tensor &t) {
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      switch (n) {
      case 1:
        return nums(r, w, t.dims);
      case 2:
        return num32(r, w, t.dataType);
      case 4:
        return reals(r, w, t.floats);
      case 5:
      case 7:
      case 11:
        return nums(r, w, t.ints);
      case 6:
        t.hasStrings = true;
        return r.skip(w);
      case 8:
        return str(r, w, t.name);
      case 9:
        t.hasRaw = true;
        return str(r, w, t.raw);
      case 10:
        return reals(r, w, t.doubles);
      case 13: {
        StringRef entry, key, value;
        if (!str(r, w, entry) || !message(base, entry, error, [&](uint32_t n, uint32_t w, Reader &r) {
              return n == 1 ? str(r, w, key) : n == 2 ? str(r, w, value) : r.skip(w);
            }))
          return false;
        t.externalData.push_back({key, value});
        return true;
      }
      case 14: {
        int64_t location;
        if (!num(r, w, location))
          return false;
        t.external = location == 1;
        return true;
      }
      default:
        return r.skip(w);
      }
    });
  }

  bool attribute(StringRef bytes, Attribute &a, int depth) {
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      switch (n) {
      case 1:
        return str(r, w, a.name);
      case 2: {
        uint64_t bits;
        if (w != 5)
          return r.fail("a field of the wrong wire type");
        if (!r.fixed(4, bits))
          return false;
        uint32_t low = static_cast<uint32_t>(bits);
        std::memcpy(&a.f, &low, 4);
        if (!a.type)
          a.type = AttrFloat;
        return true;
      }
      case 3:
        if (!a.type)
          a.type = AttrInt;
        return num(r, w, a.i);
      case 4:
        if (!a.type)
          a.type = AttrString;
        return str(r, w, a.s);
      case 5:
        a.tensor = std::make_shared<Tensor>();
        if (!a.type)
          a.type = AttrTensor;
        return sub(r, w, *a.tensor, [&](StringRef b, Tensor &t) { return tensor(b, t); });
      case 6:
        a.graph = std::make_shared<Graph>();
        if (!a.type)
          a.type = AttrGraph;
        return sub(r, w, *a.graph, [&](StringRef b, Graph &g) { return graph(b, g, depth + 1); });
      case 7:
        if (!a.type)
          a.type = AttrFloats;
        return reals(r, w, a.floats);
      case 8:
        if (!a.type)
          a.type = AttrInts;
        return nums(r, w, a.ints);
      case 9: {
        StringRef s;
        if (!str(r, w, s))
          return false;
        if (!a.type)
          a.type = AttrStrings;
        a.strings.push_back(s);
        return true;
      }
      case 20:
        return num32(r, w, a.type);
      case 21:
        return str(r, w, a.refAttrName);
      case 22:
      case 23:
        a.hasSparse = true;
        return r.skip(w);
      default:
        return r.skip(w);
      }
    });
  }

  bool node(StringRef bytes, Node &out, int depth) {
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      StringRef s;
      switch (n) {
      case 1:
        if (!str(r, w, s))
          return false;
        out.inputs.push_back(s);
        return true;
      case 2:
        if (!str(r, w, s))
          return false;
        out.outputs.push_back(s);
        return true;
      case 3:
        return str(r, w, out.name);
      case 4:
        return str(r, w, out.opType);
      case 7:
        return str(r, w, out.domain);
      case 8:
        return str(r, w, out.overload);
      case 5:
        out.attributes.emplace_back();
        return sub(r, w, out.attributes.back(), [&](StringRef b, Attribute &a) { return attribute(b, a, depth); });
      default:
        return r.skip(w);
      }
    });
  }

  bool shape(StringRef bytes, ValueInfo &v) {
    v.hasShape = true;
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      StringRef entry;
      if (n != 1)
        return r.skip(w);
      Dim dim;
      if (!str(r, w, entry) || !message(base, entry, error, [&](uint32_t n, uint32_t w, Reader &r) {
            return n == 1 ? num(r, w, dim.value) : n == 2 ? str(r, w, dim.param) : r.skip(w);
          }))
        return false;
      if (dim.param == "?") // what some exporters write for "unknown", for several dims that differ
        dim.param = StringRef();
      v.dims.push_back(dim);
      return true;
    });
  }

  bool valueInfo(StringRef bytes, ValueInfo &v) {
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      StringRef type;
      if (n == 1)
        return str(r, w, v.name);
      if (n != 2)
        return r.skip(w);
      return str(r, w, type) && message(base, type, error, [&](uint32_t n, uint32_t w, Reader &r) {
               StringRef tensorType;
               if (n == 1 || n == 4 || n == 5 || n == 8 || n == 9)
                 v.kind = n;
               if (n != 1)
                 return r.skip(w);
               return str(r, w, tensorType) && message(base, tensorType, error, [&](uint32_t n, uint32_t w, Reader &r) {
                        StringRef s;
                        if (n == 1)
                          return num32(r, w, v.elemType);
                        return n == 2 ? str(r, w, s) && shape(s, v) : r.skip(w);
                      });
             });
    });
  }

  bool graph(StringRef bytes, Graph &g, int depth) {
    if (depth > kMaxDepth) {
      error = "malformed model: subgraphs nested too deeply";
      return false;
    }
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      switch (n) {
      case 1:
        g.nodes.emplace_back();
        return sub(r, w, g.nodes.back(), [&](StringRef b, Node &x) { return node(b, x, depth); });
      case 2:
        return str(r, w, g.name);
      case 5:
        g.initializers.emplace_back();
        return sub(r, w, g.initializers.back(), [&](StringRef b, Tensor &t) { return tensor(b, t); });
      case 11:
        g.inputs.emplace_back();
        return sub(r, w, g.inputs.back(), [&](StringRef b, ValueInfo &v) { return valueInfo(b, v); });
      case 12:
        g.outputs.emplace_back();
        return sub(r, w, g.outputs.back(), [&](StringRef b, ValueInfo &v) { return valueInfo(b, v); });
      case 15:
        g.hasSparse = true;
        return r.skip(w);
      default:
        return r.skip(w);
      }
    });
  }

  bool opset(StringRef bytes, Opset &o) {
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      return n == 1 ? str(r, w, o.domain) : n == 2 ? num(r, w, o.version) : r.skip(w);
    });
  }

  bool function(StringRef bytes, Function &f) {
    return message(base, bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
      StringRef s;
      switch (n) {
      case 1:
        return str(r, w, f.name);
      case 4:
        if (!str(r, w, s))
          return false;
        f.inputs.push_back(s);
        return true;
      case 5:
        if (!str(r, w, s))
          return false;
        f.outputs.push_back(s);
        return true;
      case 6:
        if (!str(r, w, s))
          return false;
        f.attributes.push_back(s);
        return true;
      case 7:
        f.nodes.emplace_back();
        return sub(r, w, f.nodes.back(), [&](StringRef b, Node &x) { return node(b, x, 0); });
      case 9:
        f.opsets.emplace_back();
        return sub(r, w, f.opsets.back(), [&](StringRef b, Opset &o) { return opset(b, o); });
      case 10:
        return str(r, w, f.domain);
      case 11:
        f.defaults.emplace_back();
        return sub(r, w, f.defaults.back(), [&](StringRef b, Attribute &a) { return attribute(b, a, 0); });
      case 13:
        return str(r, w, f.overload);
      default:
        return r.skip(w);
      }
    });
  }
};

} // namespace

bool tenon::onnx::proto::parse(StringRef bytes, Model &m, std::string &error) {
  error.clear();
  Parser p{bytes.data(), error};
  bool ok = message(bytes.data(), bytes, error, [&](uint32_t n, uint32_t w, Reader &r) {
    switch (n) {
    case 1:
      return num(r, w, m.irVersion);
    case 7:
      m.hasGraph = true;
      return p.sub(r, w, m.graph, [&](StringRef b, Graph &g) { return p.graph(b, g, 0); });
    case 8:
      m.opsets.emplace_back();
      return p.sub(r, w, m.opsets.back(), [&](StringRef b, Opset &o) { return p.opset(b, o); });
    case 20:
      m.hasTraining = true;
      return r.skip(w);
    case 25:
      m.functions.emplace_back();
      return p.sub(r, w, m.functions.back(), [&](StringRef b, Function &f) { return p.function(b, f); });
    default:
      return r.skip(w);
    }
  });
  if (!ok)
    return false;
  if (!m.hasGraph) {
    error = "not an ONNX model: it holds no graph";
    return false;
  }
  return true;
}
