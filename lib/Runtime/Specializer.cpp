//===- Specializer.cpp - copies of a model for the shapes that come often -------------------===//
#include "tenon/Runtime/Specializer.h"

#include <algorithm>
#include <cstring>
#include <sys/resource.h>
#include <unistd.h>

namespace tenon::runtime {

namespace {

/// So many times longer a shape must come, at most, whose copy had to go: shapes that take turns in one place of the
/// cache would otherwise be loaded again and again.
constexpr int64_t kMostPatience = 64;

size_t countBytes(const tenon_output &output) {
  size_t count = 1;
  for (int32_t dim = 0; dim < output.rank; ++dim)
    count *= output.shape[dim];
  return (count * tenon_dtype_bits(output.dtype) + 7) / 8;
}

/// What is different in two results of one output; "" where nothing is.
std::string compare(const Port &port, const tenon_output &generic, const tenon_output &copy) {
  std::string name = "output '" + port.name + "'";
  if (generic.rank != copy.rank || !std::equal(generic.shape, generic.shape + generic.rank, copy.shape))
    return name + " has shape " + formatShape(copy.shape, copy.rank) + ", not " +
           formatShape(generic.shape, generic.rank);
  size_t bytes = countBytes(generic);
  if (bytes == 0 || std::memcmp(generic.data, copy.data, bytes) == 0)
    return "";
  const auto *a = static_cast<const unsigned char *>(generic.data), *b = static_cast<const unsigned char *>(copy.data);
  size_t size = std::max(1, tenon_dtype_bits(port.dtype) / 8), first = std::mismatch(a, a + bytes, b).first - a;
  auto bits = [&](const unsigned char *data) {
    std::string text = "0x";
    for (size_t i = size; i-- > 0;) {
      constexpr char kDigits[] = "0123456789abcdef";
      unsigned char byte = data[first / size * size + i];
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  };
  return name + " has other bits: " + bits(b) + " at element " + std::to_string(first / size) + ", not " + bits(a);
}

} // namespace

size_t Specializer::Hash::operator()(const Signature &signature) const {
  uint64_t hash = signature.size();
  for (int64_t value : signature)
    hash = (hash ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15 ^ (hash >> 29);
  return hash ^ (hash >> 32);
}

Specializer::Specializer(Model &model, Maker maker, int limit, int after)
    : model(model), maker(std::move(maker)), limit(limit), after(after), generation(countForks()),
      profiling(model.profiling()) {
  const std::vector<Port> &ports = model.inputPorts();
  for (size_t input = 0; input < ports.size(); ++input)
    for (size_t dim = 0; dim < ports[input].shape.size(); ++dim)
      if (ports[input].shape[dim].size < 0)
        open.emplace_back(input, dim);
}

Specializer::~Specializer() { stop(); }

void Specializer::stop() {
  stopped = true;
  if (countForks() != generation) { // nobody to wait for: handle and waiters are the parent's, and are left alone
    new std::thread(std::move(thread));
    new (&wake) std::condition_variable;
    return;
  }
  std::thread ending;
  {
    std::lock_guard<std::mutex> guard(lock);
    ending.swap(thread);
  }
  wake.notify_all();
  if (ending.joinable())
    ending.join();
  Table dropped; // copies end outside of the lock
  std::lock_guard<std::mutex> guard(lock);
  dropped.swap(shapes);
}

bool Specializer::readSignature(const tenon_input *inputs, int32_t count, Signature &signature) const {
  const std::vector<Port> &ports = model.inputPorts();
  if (count != static_cast<int32_t>(ports.size()))
    return false;
  signature.clear();
  for (int32_t i = 0; i < count; ++i) {
    const std::vector<Dim> &wanted = ports[i].shape;
    if (inputs[i].rank != static_cast<int32_t>(wanted.size()) || (inputs[i].rank > 0 && !inputs[i].shape))
      return false;
    for (size_t dim = 0; dim < wanted.size(); ++dim)
      if (wanted[dim].size < 0)
        signature.push_back(inputs[i].shape[dim]);
      else if (wanted[dim].size != inputs[i].shape[dim])
        return false;
  }
  return true;
}

Shapes Specializer::getShapes(const Signature &signature) const {
  Shapes result;
  for (const Port &port : model.inputPorts()) {
    result.emplace_back();
    for (const Dim &dim : port.shape)
      result.back().push_back(dim.size);
  }
  for (size_t i = 0; i < open.size(); ++i)
    result[open[i].first][open[i].second] = signature[i];
  return result;
}

void Specializer::run(const tenon_input *inputs, int32_t inputCount, tenon_output *outputs, int32_t outputCount) {
  if (stopped.load(std::memory_order_relaxed) || countForks() != generation)
    return model.run(inputs, inputCount, outputs, outputCount);
  std::shared_ptr<Model> copy;
  Signature checked;
  {
    std::lock_guard<std::mutex> guard(lock);
    if (readSignature(inputs, inputCount, seen))
      if (auto found = shapes.find(seen); found != shapes.end()) {
        Shape &shape = found->second;
        if (shape.state == State::ready) {
          shape.used = ++clock;
          ++shape.hits;
          copy = shape.copy;
        } else if (shape.state == State::checking && !shape.isChecked) {
          shape.isChecked = true;
          copy = shape.copy;
          checked = seen;
        }
      }
  }
  if (copy && checked.empty())
    return copy->run(inputs, inputCount, outputs, outputCount);
  if (copy)
    return check(checked, *copy, inputs, inputCount, outputs, outputCount);
  model.run(inputs, inputCount, outputs, outputCount); // what throws is not counted
  std::lock_guard<std::mutex> guard(lock);
  if (!stopped && readSignature(inputs, inputCount, seen))
    count(seen);
}

void Specializer::check(const Signature &signature, Model &copy, const tenon_input *inputs, int32_t inputCount,
                        tenon_output *outputs, int32_t outputCount) {
  // What the model updates in place is kept for the copy, which runs on it first.
  std::vector<tenon_input> given(inputs, inputs + inputCount);
  std::vector<std::vector<char>> donated;
  for (int32_t i = 0; i < inputCount; ++i)
    if (model.inputPorts()[i].donated >= 0) {
      size_t count = 1;
      for (int32_t dim = 0; dim < given[i].rank; ++dim)
        count *= given[i].shape[dim];
      size_t bytes = (count * tenon_dtype_bits(given[i].dtype) + 7) / 8;
      const char *data = static_cast<const char *>(given[i].data);
      donated.emplace_back(data, data + bytes);
      given[i].data = donated.back().data();
    }
  std::vector<tenon_output> results(outputCount);
  std::string reason;
  try {
    copy.run(given.data(), inputCount, results.data(), outputCount);
  } catch (const Error &error) {
    reason = std::string("the copy fails where generic code does not: ") + error.what();
  }
  auto end = [&](bool ran) {
    for (int32_t i = 0; i < outputCount && ran && reason.empty(); ++i)
      reason = compare(model.outputPorts()[i], outputs[i], results[i]);
    for (tenon_output &result : results)
      if (result.owned)
        model.release(result.data);
    std::shared_ptr<Model> dropped;
    std::lock_guard<std::mutex> guard(lock);
    auto found = shapes.find(signature);
    if (found == shapes.end() || found->second.copy.get() != &copy) // it had to go meanwhile
      return;
    Shape &shape = found->second;
    shape.isChecked = false;
    if (!ran)
      return;
    ++shape.runs;
    shape.used = ++clock;
    if (reason.empty())
      shape.state = State::ready;
    else
      dropped = fail(shape, reason);
  };
  try {
    model.run(inputs, inputCount, outputs, outputCount);
  } catch (...) {
    end(false);
    throw;
  }
  end(true);
}

size_t Specializer::countOf(std::initializer_list<State> states) const {
  return std::count_if(shapes.begin(), shapes.end(), [&](const auto &entry) {
    return std::find(states.begin(), states.end(), entry.second.state) != states.end();
  });
}

Specializer::Table::iterator Specializer::findOldest(std::initializer_list<State> states) {
  auto oldest = shapes.end();
  for (auto it = shapes.begin(); it != shapes.end(); ++it)
    if (std::find(states.begin(), states.end(), it->second.state) != states.end() &&
        (oldest == shapes.end() || it->second.used < oldest->second.used))
      oldest = it;
  return oldest;
}

void Specializer::count(const Signature &signature) {
  auto found = shapes.find(signature);
  if (found == shapes.end()) {
    while (shapes.size() >= kMostCounted && countOf({State::counting, State::waiting}) >= kMostCounted)
      shapes.erase(findOldest({State::counting, State::waiting}));
    found = shapes.emplace(signature, Shape()).first;
    found->second.wanted = after;
  }
  Shape &shape = found->second;
  shape.used = ++clock;
  ++shape.runs;
  if (shape.state != State::counting || ++shape.since < shape.wanted)
    return;
  shape.state = State::waiting;
  try {
    if (!thread.joinable())
      thread = std::thread([this] { work(); });
    wake.notify_one();
  } catch (const std::system_error &error) {
    (void)fail(shape, std::string("no thread to compile on: ") + error.what());
  }
}

std::shared_ptr<Model> Specializer::fail(Shape &shape, const std::string &reason) {
  if (countOf({State::failed}) >= kMostFailed)
    shapes.erase(findOldest({State::failed}));
  shape.state = State::failed;
  shape.reason = reason;
  return std::move(shape.copy);
}

void Specializer::work() {
  // What is compiled ahead of time must not take the time of what runs now.
  setpriority(PRIO_PROCESS, gettid(), 10);
  std::unique_lock<std::mutex> guard(lock);
  while (!stopped) {
    if (countOf({State::waiting}) == 0)
      wake.wait(guard);
    else
      compileOne(guard);
  }
}

/// The shape that came last of those that wait: others may not come again.
void Specializer::compileOne(std::unique_lock<std::mutex> &guard) {
  auto next = shapes.end();
  for (auto it = shapes.begin(); it != shapes.end(); ++it)
    if (it->second.state == State::waiting && (next == shapes.end() || it->second.used > next->second.used))
      next = it;
  Signature signature = next->first; // the entry stays: no entry that is being compiled is forgotten
  next->second.state = State::compiling;
  guard.unlock();
  std::shared_ptr<Model> copy, dropped;
  std::string reason;
  auto start = std::chrono::steady_clock::now();
  try {
    copy = maker(getShapes(signature), [this] { return stopped.load(); });
  } catch (const std::exception &error) {
    reason = error.what();
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  guard.lock();
  if (!stopped) {
    Shape &shape = shapes.at(signature);
    shape.seconds = seconds;
    if (!copy) {
      dropped = fail(shape, reason);
    } else {
      if (countOf({State::checking, State::ready}) >= limit) {
        Shape &old = findOldest({State::checking, State::ready})->second;
        for (const KernelProfile &kernel : old.copy->profile()) {
          gone.calls += kernel.calls;
          gone.nanoseconds += kernel.nanoseconds;
          gone.flops += kernel.flops;
          gone.bytes += kernel.bytes;
        }
        dropped = std::move(old.copy);
        old.state = State::counting;
        old.isChecked = false;
        old.since = 0;
        old.wanted = std::min(old.wanted * 2, after * kMostPatience);
      }
      copy->setProfiling(profiling);
      shape.copy = std::move(copy);
      shape.state = State::checking;
    }
  }
  guard.unlock();
  dropped.reset(); // a run may still use it, and ends it then
  copy.reset();
  guard.lock();
}

void Specializer::setProfiling(bool on) {
  std::lock_guard<std::mutex> guard(lock);
  if (on && !profiling)
    gone = {};
  profiling = on;
  for (auto &[signature, shape] : shapes)
    if (shape.copy)
      shape.copy->setProfiling(on);
}

KernelProfile Specializer::goneProfile() {
  std::lock_guard<std::mutex> guard(lock);
  return gone;
}

std::vector<ShapeState> Specializer::describe() {
  constexpr const char *kNames[] = {"counting", "waiting", "compiling", "checking", "ready", "failed"};
  std::vector<std::pair<uint64_t, ShapeState>> found;
  std::lock_guard<std::mutex> guard(lock);
  for (const auto &[signature, shape] : shapes) {
    ShapeState state{getShapes(signature),
                     kNames[static_cast<int>(shape.state)],
                     shape.reason,
                     shape.runs,
                     shape.hits,
                     shape.seconds,
                     {}};
    if (shape.copy)
      state.profile = shape.copy->profile();
    found.emplace_back(shape.used, std::move(state));
  }
  std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) { return a.first > b.first; });
  std::vector<ShapeState> states;
  for (auto &[used, state] : found)
    states.push_back(std::move(state));
  return states;
}

} // namespace tenon::runtime
