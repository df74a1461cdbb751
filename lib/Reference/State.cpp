//===- State.cpp - what linear attention and recurrences compute ------------------------------===//
//
// Token by token, as the descriptions in State.td have it; sums and states in double, rounded at the end.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/State.h"
#include "Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

LogicalResult runLinearAttention(Interpreter &in, LinearAttentionOp op) {
  const Tensor query = in.tensor(op.getQuery()), keys = in.tensor(op.getKeys()), values = in.tensor(op.getValues());
  int64_t batch = query.shape()[0], queryHeads = query.shape()[1], heads = keys.shape()[1];
  int64_t tokens = query.shape()[2], depth = query.shape()[3], width = values.shape()[3];
  SmallVector<int64_t> keyShape{batch, heads, tokens, depth}, valueShape{batch, heads, tokens, width};
  SmallVector<int64_t> stateShape{batch, heads, depth, width};
  ArrayRef<int64_t> perKey = keyShape, perHead = perKey.drop_back();
  auto fits = [&](Value value, ArrayRef<int64_t> shape) { return !value || in.tensor(value).shape() == shape; };
  if (!fits(op.getKeys(), keyShape) || !fits(op.getValues(), valueShape) ||
      !fits(op.getDecay(), op.hasDecayPerKey() ? perKey : perHead) || !fits(op.getBeta(), perHead) ||
      !fits(op.getState(), stateShape))
    return op.emitError("expected keys, values, decay, beta and state of the query's sizes");
  auto get = [&](Value value) { return value ? std::optional<Tensor>(in.tensor(value)) : std::nullopt; };
  std::optional<Tensor> decay = get(op.getDecay()), beta = get(op.getBeta()), start = get(op.getState());
  Type element = query.element(), stateElement = getElementTypeOrSelf(op.getFinal().getType());
  std::optional<Tensor> result = in.makeTensor(op, element, {batch, queryHeads, tokens, width});
  std::optional<Tensor> final = in.makeTensor(op, stateElement, stateShape);
  if (!result || !final)
    return failure();
  Scalar *out = result->mutableData(), *last = final->mutableData();
  double scale = op.getScale().convertToDouble();
  int64_t group = queryHeads / heads, size = depth * width;
  for (int64_t line = 0; line < batch * heads; ++line) { // a head of a batch
    std::vector<double> state(size, 0), write(width);
    for (int64_t i = 0; start && i < size; ++i)
      state[i] = start->data()[line * size + i].f;
    for (int64_t t = 0; t < tokens; ++t) {
      int64_t token = line * tokens + t;
      const Scalar *key = keys.data() + token * depth, *value = values.data() + token * width;
      for (int64_t i = 0; decay && i < size; ++i)
        state[i] *= std::exp(decay->data()[op.hasDecayPerKey() ? token * depth + i / width : token].f);
      for (int64_t e = 0; e < width; ++e) {
        double found = 0;
        for (int64_t d = 0; op.isDelta() && d < depth; ++d)
          found += state[d * width + e] * key[d].f;
        write[e] = op.isDelta() ? beta->data()[token].f * (value[e].f - found) : value[e].f;
      }
      for (int64_t i = 0; i < size; ++i)
        state[i] += key[i / width].f * write[i % width];
      for (int64_t g = 0; g < group; ++g) { // the query heads of this head come one after the other
        int64_t row = (line * group + g) * tokens + t;
        for (int64_t e = 0; e < width; ++e) {
          double sum = 0;
          for (int64_t d = 0; d < depth; ++d)
            sum += query.data()[row * depth + d].f * state[d * width + e];
          out[row * width + e] = makeFloat(roundFloat(element, scale * sum));
        }
      }
    }
    for (int64_t i = 0; i < size; ++i)
      last[line * size + i] = makeFloat(roundFloat(stateElement, state[i]));
  }
  in.set(op.getResult(), *result);
  in.set(op.getFinal(), *final);
  return success();
}

/// Row `step` of a tensor along its first dim.
Tensor getRow(const Tensor &tensor, int64_t step) {
  Tensor row(tensor.element(), tensor.shape().drop_front());
  std::copy_n(tensor.data() + step * row.count(), row.count(), row.mutableData());
  return row;
}

LogicalResult runRecurrence(Interpreter &in, RecurrenceOp op) {
  int64_t steps = in.tensor(op.getInputs()[0]).shape()[0];
  SmallVector<Tensor> outputs;
  for (Value out : op.getOuts())
    outputs.push_back(in.tensor(out));
  for (Value input : op.getInputs())
    if (in.tensor(input).shape()[0] != steps)
      return op.emitError() << "expected inputs of " << steps << " steps, but got " << in.tensor(input).shape()[0];
  for (const Tensor &output : outputs)
    if (output.shape()[0] != steps)
      return op.emitError() << "expected outs of " << steps << " steps, but got " << output.shape()[0];
  std::optional<Tensor> lengths = op.getLengths() ? std::optional<Tensor>(in.tensor(op.getLengths())) : std::nullopt;
  SmallVector<Datum> states = llvm::map_to_vector(op.getStates(), [&](Value state) { return in.get(state); });
  for (int64_t step = 0; step < steps; ++step) {
    if (failed(in.step(op)))
      return failure();
    int64_t t = op.getReverse() ? steps - 1 - step : step;
    SmallVector<Datum> arguments;
    for (Value input : op.getInputs())
      arguments.push_back(getRow(in.tensor(input), t));
    llvm::append_range(arguments, states);
    FailureOr<SmallVector<Datum>> made = in.runBlock(op.getCell().front(), arguments);
    if (failed(made))
      return failure();
    for (auto [number, datum] : llvm::enumerate(*made)) {
      Tensor now = *datum.tensor;
      bool isOutput = number < outputs.size();
      ArrayRef<int64_t> wanted =
          isOutput ? outputs[number].shape().drop_front() : states[number - outputs.size()].tensor->shape();
      if (now.shape() != wanted)
        return op.emitError("expected the cell to yield outputs of the size of outs and states of their size before");
      for (int64_t i = 0; lengths && i < now.count(); ++i) {
        int64_t entry = i / (now.count() / now.shape()[0]);
        if (entry >= lengths->count())
          return op.emitError() << "expected " << now.shape()[0] << " lengths, but got " << lengths->count();
        if (t >= lengths->data()[entry].i)
          now.mutableData()[i] = isOutput ? Scalar{.i = 0} : states[number - outputs.size()].tensor->data()[i];
      }
      if (isOutput)
        std::copy_n(now.data(), now.count(), outputs[number].mutableData() + t * now.count());
      else
        states[number - outputs.size()] = now;
    }
  }
  for (auto [result, output] : llvm::zip(op.getResults(), outputs))
    in.set(result, output);
  for (auto [result, state] : llvm::zip(op.getResults().drop_front(outputs.size()), states))
    in.set(result, state);
  return success();
}

} // namespace

Interpreter::Handled Interpreter::runState(Operation *op) {
  return llvm::TypeSwitch<Operation *, Handled>(op)
      .Case<LinearAttentionOp>(
          [&](LinearAttentionOp attention) -> Handled { return runLinearAttention(*this, attention); })
      .Case<RecurrenceOp>([&](RecurrenceOp recurrence) -> Handled { return runRecurrence(*this, recurrence); })
      .Default([](Operation *) -> Handled { return std::nullopt; });
}
