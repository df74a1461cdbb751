//===- ImportContext.h - what an operator's handler works with --------------------===//
//
// The core of the importer. To add an operator: in the file of its family write
//
//   reg.on("Relu", 6, [](Node &n) {
//     V x = n.in(0);
//     return n.out(n.elementwise({x}, x->dtype, [](Scalar &s, A a) { return s.max(a[0], s.constLike(a[0], 0)); }));
//   });
//
// in that family's `registerX(Registry &)`. The handler with the largest since-version not above the model's opset is
// called. It reads inputs (`n.in`, null where missing), attributes (`n.attrInt`, ...), and sets results by `n.out`; to
// refuse, `return n.fail("reason")`: the import goes on, so that one error lists every offending node.
//
// Values (`V`) carry the ONNX element type (IR integers are signless), one OpFoldResult per dim (static attribute, or
// the index value that holds the size; equal sizes share the value) and, for small tensors, *known elements*: each an
// attribute or a scalar value. Element-wise ops, casts and movement of known elements are computed while importing
// (through the folders of arith and math), so Shape->Gather->Concat->Reshape leaves index arithmetic at most.
// `n.tensor(v)` materializes the tensor. All helpers below propagate dims and known elements; use them and a new
// operator gets shape folding, broadcasting and narrow floats (computed in f32) for nothing.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "Proto.h"
#include "Scalar.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Import/ONNX/Import.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"

#include <functional>

namespace tenon::onnx {

using Dims = llvm::SmallVector<mlir::OpFoldResult>;
using Ints = llvm::SmallVector<int64_t>;

/// A value of the ONNX graph. Immutable once handed out, but for the cache of its materialized tensor.
struct Val {
  int32_t dtype = 0;
  Dims dims;
  /// Elements in row-major order: attributes of the element type, or scalar values of it.
  bool isKnown = false;
  llvm::SmallVector<mlir::OpFoldResult> known;
  /// The tensor; null until needed for known values and weights.
  mlir::Value ssa;
  /// The initializer behind the value, if it is one.
  const proto::Tensor *weight = nullptr;

  int64_t rank() const { return dims.size(); }
  /// Static size or ShapedType::kDynamic.
  int64_t dim(int64_t i) const { return mlir::getConstantIntValue(dims[i]).value_or(mlir::ShapedType::kDynamic); }
  Ints shape() const {
    Ints result;
    for (int64_t i = 0; i < rank(); ++i)
      result.push_back(dim(i));
    return result;
  }
  bool hasStaticShape() const { return !llvm::is_contained(shape(), mlir::ShapedType::kDynamic); }
  /// Number of elements, or kDynamic.
  int64_t count() const {
    int64_t n = 1;
    for (int64_t d : shape())
      n = d == mlir::ShapedType::kDynamic || n == mlir::ShapedType::kDynamic ? mlir::ShapedType::kDynamic : n * d;
    return n;
  }
  /// Known, and every element is an attribute.
  bool isConstant() const {
    return isKnown && llvm::all_of(known, [](mlir::OpFoldResult e) { return llvm::isa<mlir::Attribute>(e); });
  }
};
using V = std::shared_ptr<Val>;
using A = llvm::ArrayRef<mlir::Value>;

/// lower, lower + 1, ... up to, not including, upper.
inline Ints sequence(int64_t lower, int64_t upper) {
  Ints result;
  for (; lower < upper; ++lower)
    result.push_back(lower);
  return result;
}

bool isFloatDType(int32_t dtype);
bool isUnsignedDType(int32_t dtype);
bool isIntDType(int32_t dtype);
llvm::StringRef dtypeName(int32_t dtype);
/// Null for types that Tenon does not have (strings, complex numbers).
mlir::Type elementType(mlir::MLIRContext *context, int32_t dtype);

class Importer;
class Node;
using Handler = std::function<mlir::LogicalResult(Node &)>;

/// Operators by domain and name; per operator the handlers by since-version.
class Registry {
public:
  void on(llvm::StringRef name, int64_t since, Handler handler, llvm::StringRef domain = "");
  /// Null when there is none for this version.
  const Handler *find(llvm::StringRef domain, llvm::StringRef name, int64_t version) const;
  bool hasName(llvm::StringRef domain, llvm::StringRef name) const;
  static const Registry &get();
  std::map<std::pair<std::string, std::string>, std::map<int64_t, Handler>> ops;
};

/// Number of leading inputs that must be there, by the operator's schema.
unsigned requiredInputs(llvm::StringRef name, int64_t version);

void registerElementWise(Registry &);
void registerMovement(Registry &);
void registerShape(Registry &);
void registerReduce(Registry &);
void registerMatMul(Registry &);
void registerConv(Registry &);
void registerResize(Registry &);
void registerNormalization(Registry &);
void registerRecurrent(Registry &);
void registerControlFlow(Registry &);
void registerQuantize(Registry &);
void registerGenerate(Registry &);
void registerSelect(Registry &);
void registerIndexing(Registry &);
void registerAttention(Registry &);
void registerLoss(Registry &);
void registerSignal(Registry &);
void registerState(Registry &);

/// An operand of `Node::generic`: the map takes the iteration space to the operand's dims.
struct Operand {
  V value;
  mlir::AffineMap map;
};

using Body = llvm::function_ref<mlir::Value(Scalar &, A)>;

/// Emission at the builder's insertion point; `Node` adds the ONNX node to it.
class Emitter {
public:
  Emitter(Importer &imp, mlir::ImplicitLocOpBuilder &b) : imp(imp), b(b) {}
  Importer &imp;
  mlir::ImplicitLocOpBuilder &b;

  // Values.
  mlir::Type type(int32_t dtype) { return elementType(b.getContext(), dtype); }
  mlir::RankedTensorType tensorType(int32_t dtype, llvm::ArrayRef<mlir::OpFoldResult> dims);
  mlir::RankedTensorType tensorType(const V &v) { return tensorType(v->dtype, v->dims); }
  /// The tensor of a value (constants at the function's entry, known elements by from_elements).
  mlir::Value tensor(const V &v);
  V value(int32_t dtype, mlir::Value ssa, llvm::ArrayRef<mlir::OpFoldResult> dims);
  /// Dims from the type; tensor.dim where dynamic.
  V value(int32_t dtype, mlir::Value ssa);
  V known(int32_t dtype, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<mlir::OpFoldResult> elements);
  V constInts(int32_t dtype, llvm::ArrayRef<int64_t> values);
  V scalar(int32_t dtype, double value);
  /// A one-dimensional int64 tensor of sizes or offsets.
  V fromIndices(llvm::ArrayRef<mlir::OpFoldResult> indices);
  /// The elements of an integer tensor of static count as index values (known ones fold, others are extracted).
  mlir::FailureOr<Dims> toIndices(const V &v);
  /// The elements when all are constants.
  std::optional<Ints> constIntsOf(const V &v);
  std::optional<llvm::SmallVector<double>> constFloatsOf(const V &v);

  // Index arithmetic that folds.
  mlir::OpFoldResult idx(int64_t i) { return b.getIndexAttr(i); }
  mlir::Value index(mlir::OpFoldResult i);
  mlir::OpFoldResult norm(mlir::Value v);
  mlir::OpFoldResult add(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult sub(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult mul(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult floordiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult ceildiv(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult min(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult max(mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult select(mlir::Value cond, mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::Value cmp(mlir::arith::CmpIPredicate p, mlir::OpFoldResult x, mlir::OpFoldResult y);
  mlir::OpFoldResult product(llvm::ArrayRef<mlir::OpFoldResult> dims);
  bool same(mlir::OpFoldResult x, mlir::OpFoldResult y) { return mlir::isEqualConstantIntOrValue(x, y); }

  // Structured ops.
  mlir::Value empty(int32_t dtype, llvm::ArrayRef<mlir::OpFoldResult> dims);
  mlir::Value filled(int32_t dtype, llvm::ArrayRef<mlir::OpFoldResult> dims, mlir::TypedAttr value);
  V fill(int32_t dtype, llvm::ArrayRef<mlir::OpFoldResult> dims, double value);
  /// A constant of the element type: exact for integers up to 2^53 and all floats; infinities allowed for floats.
  mlir::TypedAttr constant(mlir::Type type, double value);
  /// A generic over the result's dims, plus `reductions` trailing dims of which `init` is the start value. The body
  /// gets the operands' elements and, with reductions, the accumulator last; narrow floats arrive as f32.
  V generic(int32_t dtype, llvm::ArrayRef<mlir::OpFoldResult> dims, llvm::ArrayRef<Operand> operands, Body body,
            unsigned reductions = 0, mlir::TypedAttr init = {}, llvm::ArrayRef<mlir::OpFoldResult> reductionDims = {});
  /// Element-wise with broadcasting; computed at import where all operands are known and small.
  V elementwise(llvm::ArrayRef<V> operands, int32_t dtype, Body body);
  mlir::FailureOr<Dims> broadcastDims(llvm::ArrayRef<V> operands);
  /// Reduction over `axes` with start value `init`.
  V reduce(const V &x, llvm::ArrayRef<int64_t> axes, bool keepDims, double init, Body body, int32_t dtype = 0);
  V cast(const V &x, int32_t dtype, bool saturate = true);

  // Common arithmetic on whole values.
  V addV(const V &x, const V &y);
  V subV(const V &x, const V &y);
  V mulV(const V &x, const V &y);
  V divV(const V &x, const V &y);
  V sum(const V &x, llvm::ArrayRef<int64_t> axes, bool keepDims);
  V mean(const V &x, llvm::ArrayRef<int64_t> axes, bool keepDims);
  V softmax(const V &x, llvm::ArrayRef<int64_t> axes, bool logarithm);
  V matmul(const V &x, const V &y, int32_t dtype = 0);

  // Movement.
  V reshape(const V &x, llvm::ArrayRef<mlir::OpFoldResult> dims);
  V unsqueeze(const V &x, llvm::ArrayRef<int64_t> axes);
  V squeeze(const V &x, llvm::ArrayRef<int64_t> axes);
  V transpose(const V &x, llvm::ArrayRef<int64_t> perm);
  /// Strides are at least 1.
  V slice(const V &x, llvm::ArrayRef<mlir::OpFoldResult> offsets, llvm::ArrayRef<mlir::OpFoldResult> sizes,
          llvm::ArrayRef<int64_t> strides);
  /// `count` entries of `axis` from `start`.
  V sliceAxis(const V &x, int64_t axis, mlir::OpFoldResult start, mlir::OpFoldResult count);
  V flip(const V &x, int64_t axis);
  V concat(llvm::ArrayRef<V> parts, int64_t axis);
  V expand(const V &x, llvm::ArrayRef<mlir::OpFoldResult> dims);
  V pad(const V &x, llvm::ArrayRef<mlir::OpFoldResult> low, llvm::ArrayRef<mlir::OpFoldResult> high, double value);
  /// Known elements rearranged: `source` maps a result position to a position in x.
  V rearrange(const V &x, llvm::ArrayRef<int64_t> shape, llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> source);
  V gather(const V &data, const V &indices, int64_t axis);
  /// A run-time check that all indices lie in [-extent, extent).
  void checkRange(const V &indices, mlir::OpFoldResult extent);
  /// The scalar of a tensor of one element.
  mlir::Value truth(const V &v);

  /// Gives `x` exactly these dims (a tensor.cast where the type differs).
  V refine(const V &x, llvm::ArrayRef<mlir::OpFoldResult> dims);
  /// A run-time check; nothing where it is provably true. `what` is prefixed by the node's name.
  void check(mlir::Value cond, const llvm::Twine &what);
  void checkEqual(mlir::OpFoldResult x, mlir::OpFoldResult y, const llvm::Twine &what);
  /// scf.if of values; result dims that differ become dynamic. A condition that is known emits one side only.
  using Branch = llvm::function_ref<mlir::FailureOr<llvm::SmallVector<V>>()>;
  mlir::FailureOr<llvm::SmallVector<V>> branch(mlir::Value cond, Branch then, Branch otherwise);
  /// Iterates `lower..upper` with tensors carried: body gets (index, carried) and returns the next ones.
  llvm::SmallVector<mlir::Value>
  loop(mlir::Value lower, mlir::Value upper, mlir::ValueRange init,
       llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)> body);
};

/// One node of the graph while it is imported.
class Node : public Emitter {
public:
  Node(Importer &imp, mlir::ImplicitLocOpBuilder &b, const proto::Node &proto, int64_t version, std::string label)
      : Emitter(imp, b), proto(proto), opset(version), label(std::move(label)) {}
  const proto::Node &proto;
  /// Version of the operator's domain.
  int64_t opset;
  std::string label;
  llvm::SmallVector<V> inputs;
  llvm::SmallVector<V> outputs;

  /// Null for a missing optional input.
  V in(unsigned i) const { return i < inputs.size() ? inputs[i] : V(); }
  bool has(unsigned i) const { return i < inputs.size() && inputs[i]; }
  bool wants(unsigned i) const { return i < proto.outputs.size() && !proto.outputs[i].empty(); }
  mlir::LogicalResult out(V v) { return out(0, v); }
  /// Null values are failures that have been reported by the helper that made them.
  mlir::LogicalResult out(unsigned i, V v);
  mlir::LogicalResult fail(const llvm::Twine &reason);

  const proto::Attribute *attr(llvm::StringRef name) const;
  bool hasAttr(llvm::StringRef name) const { return attr(name) != nullptr; }
  int64_t attrInt(llvm::StringRef name, int64_t otherwise) const;
  float attrFloat(llvm::StringRef name, float otherwise) const;
  llvm::StringRef attrString(llvm::StringRef name, llvm::StringRef otherwise) const;
  std::optional<Ints> attrInts(llvm::StringRef name) const;
  std::optional<llvm::SmallVector<float>> attrFloats(llvm::StringRef name) const;
  std::optional<llvm::SmallVector<llvm::StringRef>> attrStrings(llvm::StringRef name) const;
  const proto::Tensor *attrTensor(llvm::StringRef name) const;
  const proto::Graph *attrGraph(llvm::StringRef name) const;

  /// An axis in [-rank, rank) made positive; reports otherwise.
  mlir::FailureOr<int64_t> axis(int64_t axis, int64_t rank);
  mlir::FailureOr<Ints> axes(llvm::ArrayRef<int64_t> axes, int64_t rank);
  /// `make` for the axes of an integer tensor: directly when they are constant, else a choice among all subsets of
  /// that many axes at run time. Null after a reported failure.
  V switchAxes(const V &axes, int64_t rank, llvm::function_ref<V(llvm::ArrayRef<int64_t>)> make);
  /// Axes given by input `i` (as a constant) or the attribute "axes"; nullopt where neither is there.
  mlir::FailureOr<std::optional<Ints>> axesInput(unsigned i, int64_t rank);
};

using Scope = llvm::StringMap<V>;

/// The import of one model.
class Importer {
public:
  Importer(mlir::MLIRContext *context, const ImportOptions &options, WeightBlobs &blobs, std::string &error);
  mlir::OwningOpRef<mlir::ModuleOp> run(const proto::Model &model, llvm::StringRef bytes, llvm::StringRef archive,
                                        llvm::StringRef baseDir);

  /// Imports the nodes of a (sub)graph into the innermost scope; false after a reported failure.
  bool nodes(const std::vector<proto::Node> &nodes);
  /// The value of a name, searched outwards; null (unreported) if there is none.
  V lookup(llvm::StringRef name);
  void define(llvm::StringRef name, V v) { scopes.back()[name] = v; }
  /// An initializer or constant; null after a reported failure.
  V initializer(const proto::Tensor &t, const llvm::Twine &what);
  /// A subgraph inside the current insertion point: parameters by position; its results, or failure.
  mlir::FailureOr<llvm::SmallVector<V>> subgraph(const proto::Graph &graph, llvm::ArrayRef<V> parameters);

  void report(const llvm::Twine &message);
  size_t errorCount() const { return errors.size(); }
  /// A tensor constant at the function's entry.
  mlir::Value entryConstant(mlir::DenseElementsAttr attr);
  mlir::Value entryWeight(const V &v);

  mlir::MLIRContext *context;
  mlir::ImplicitLocOpBuilder b;
  /// The node being imported, for messages: "node 'x' (Relu)".
  std::string current;
  llvm::SmallVector<Scope> scopes;
  /// Index arithmetic of the function's own block, by operation and operands.
  std::map<std::tuple<llvm::StringRef, void *, void *>, mlir::OpFoldResult> sizes;

private:
  bool inputs(const proto::Graph &graph);
  bool callFunction(const proto::Function &f, Node &n);
  void node(const proto::Node &node);
  int64_t versionOf(llvm::StringRef domain);
  std::optional<llvm::StringRef> bytesOf(const proto::Tensor &t, std::string &archive, uint64_t &offset,
                                         std::string &why);

  const ImportOptions &options;
  WeightBlobs &blobs;
  std::string &error;
  std::vector<std::string> errors;
  std::map<std::string, int64_t> opsets;
  std::map<std::string, const proto::Function *> functions;
  llvm::StringRef modelBytes, archive, baseDir;
  mlir::ModuleOp module;
  mlir::func::FuncOp main;
  llvm::DenseMap<mlir::Attribute, mlir::Value> constants;
  llvm::DenseMap<const proto::Tensor *, mlir::Value> weights;
  std::map<std::string, std::unique_ptr<llvm::MemoryBuffer>> externalFiles;
  llvm::StringSet<> symbols;
  std::vector<std::unique_ptr<proto::Node>> boundNodes;
  int functionDepth = 0;
};

/// Elements of a tensor as attributes of its element type; nullopt (and `why`) when data and shape disagree.
std::optional<llvm::SmallVector<mlir::OpFoldResult>> readElements(const proto::Tensor &t, llvm::StringRef bytes,
                                                                  mlir::Type type, int64_t count, std::string &why);

} // namespace tenon::onnx
