//===- Npy.cpp - NumPy's .npy files ------------------------------------------------------------===//
#include "tenon/Support/Npy.h"

#include <cstring>
#include <fstream>
#include <iterator>

using namespace tenon;

namespace {
struct Code {
  const char *name, *code;
  int64_t bytes;
};
} // namespace

static constexpr Code codes[] = {{"bool", "b1", 1},   {"int8", "i1", 1},    {"uint8", "u1", 1},   {"int16", "i2", 2},
                                 {"uint16", "u2", 2}, {"int32", "i4", 4},   {"uint32", "u4", 4},  {"int64", "i8", 8},
                                 {"uint64", "u8", 8}, {"float16", "f2", 2}, {"float32", "f4", 4}, {"float64", "f8", 8}};

/// The text after `key` in the header's dictionary.
static bool find(const std::string &header, const char *key, size_t &at) {
  at = header.find(std::string("'") + key + "'");
  if (at == std::string::npos)
    return false;
  at = header.find(':', at);
  return at != std::string::npos && (at = header.find_first_not_of(' ', at + 1)) != std::string::npos;
}

/// Turns column-major elements into row-major ones.
static void transpose(NpyArray &array, int64_t size) {
  std::vector<char> out(array.bytes.size());
  std::vector<int64_t> index(array.shape.size(), 0);
  for (size_t from = 0; from < array.bytes.size(); from += size) {
    int64_t flat = 0;
    for (size_t i = 0; i < index.size(); ++i)
      flat = flat * array.shape[i] + index[i];
    std::memcpy(&out[flat * size], &array.bytes[from], size);
    for (size_t i = 0; i < index.size() && ++index[i] == array.shape[i]; ++i)
      index[i] = 0;
  }
  array.bytes = std::move(out);
}

bool tenon::readNpy(const std::string &path, NpyArray &array, std::string &error) {
  std::ifstream file(path, std::ios::binary);
  std::string data((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto refuse = [&](const std::string &why) {
    error = "'" + path + "': " + why;
    return false;
  };
  if (!file.is_open())
    return refuse("cannot be opened");
  if (data.size() < 12 || data.compare(0, 6, "\x93NUMPY") != 0)
    return refuse("is no .npy file");
  bool longHeader = data[6] >= 2;
  size_t start = longHeader ? 12 : 10, length = 0;
  for (size_t i = 0; i < start - 8; ++i)
    length |= static_cast<size_t>(static_cast<unsigned char>(data[8 + i])) << (8 * i);
  if (length > data.size() - start)
    return refuse("the header is cut off");
  std::string header = data.substr(start, length);
  size_t at;
  if (!find(header, "descr", at) || at + 5 > header.size() || header[at] != '\'')
    return refuse("has no simple element type");
  std::string code = header.substr(at + 2, 2);
  int64_t size = 0;
  for (const Code &known : codes)
    if (code == known.code && header[at + 1] != '>' && header[at + 4] == '\'') {
      array.dtype = known.name;
      size = known.bytes;
    }
  if (!size)
    return refuse("element type '" + header.substr(at + 1, 3) + "' is not supported");
  bool columns = find(header, "fortran_order", at) && header.compare(at, 4, "True") == 0;
  if (!find(header, "shape", at) || header[at] != '(')
    return refuse("has no shape");
  array.shape.clear();
  int64_t count = 1;
  for (++at; at < header.size() && header[at] != ')';) {
    int64_t dim = 0;
    size_t digits = 0;
    for (; at < header.size() && header[at] >= '0' && header[at] <= '9'; ++at, ++digits)
      if (__builtin_mul_overflow(dim, 10, &dim) || __builtin_add_overflow(dim, header[at] - '0', &dim))
        return refuse("has too large a shape");
    if (digits) {
      array.shape.push_back(dim);
      if (__builtin_mul_overflow(count, dim, &count))
        return refuse("has too large a shape");
    } else if (header[at] == ',' || header[at] == ' ') {
      ++at;
    } else {
      return refuse("has no shape");
    }
  }
  int64_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes) || static_cast<uint64_t>(bytes) != data.size() - start - length)
    return refuse("has another number of bytes than its shape says");
  array.bytes.assign(data.begin() + start + length, data.end());
  if (columns && array.shape.size() > 1)
    transpose(array, size);
  return true;
}

bool tenon::writeNpy(const std::string &path, const NpyArray &array, std::string &error) {
  const char *code = nullptr;
  for (const Code &known : codes)
    if (array.dtype == known.name)
      code = known.code;
  if (!code) {
    error = "'" + path + "': NumPy has no '" + array.dtype + "'";
    return false;
  }
  bool narrow = code[1] == '1';
  std::string header =
      std::string("{'descr': '") + (narrow ? "|" : "<") + code + "', 'fortran_order': False, 'shape': (";
  for (int64_t size : array.shape)
    header += std::to_string(size) + ",";
  header += "), }";
  header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  const char start[] = {'\x93',
                        'N',
                        'U',
                        'M',
                        'P',
                        'Y',
                        1,
                        0,
                        static_cast<char>(header.size() & 255),
                        static_cast<char>(header.size() >> 8)};
  file.write(start, sizeof(start));
  file.write(header.data(), header.size());
  file.write(array.bytes.data(), array.bytes.size());
  file.close();
  if (!file)
    error = "'" + path + "': cannot be written";
  return static_cast<bool>(file);
}
