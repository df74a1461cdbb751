//===- Bufferization.cpp - destination-passing ops of the dialect as bufferizable ---===//
//
// External models of BufferizableOpInterface: tensor inits become the memrefs that the op writes, in place.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Bufferization.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Dialect/IR/Winograd.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace tenon;

namespace {

/// Rebuilds `op` on buffers, with the inits' buffers in place of its results. Operands that are no tensors stay.
template <typename OpTy>
struct DestinationModel : DstBufferizableOpInterfaceExternalModel<DestinationModel<OpTy>, OpTy> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> operands, results;
    auto destination = cast<DestinationStyleOpInterface>(op);
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
      if (destination.isDpsInit(&operand))
        results.push_back(*buffer);
    }
    rewriter.setInsertionPoint(op);
    OperationState created(op->getLoc(), op->getName(), operands, TypeRange(), op->getAttrs());
    for (Region &region : op->getRegions())
      created.addRegion()->takeBody(region);
    created.propertiesAttr = op->getPropertiesAsAttribute();
    rewriter.create(created);
    replaceOpWithBufferizedValues(rewriter, op, results);
    return success();
  }
};

/// The bytes of a weight are mapped from a file: a read-only buffer that is nobody's copy.
struct LoadWeightModel : BufferizableOpInterface::ExternalModel<LoadWeightModel, LoadWeightOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const { return false; }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &, const AnalysisState &) const { return false; }
  AliasingValueList getAliasingValues(Operation *, OpOperand &, const AnalysisState &) const { return {}; }
  bool bufferizesToAllocation(Operation *, Value) const { return false; }
  bool isWritable(Operation *, Value, const AnalysisState &) const { return false; }
  FailureOr<BufferLikeType> getBufferType(Operation *, Value value, const BufferizationOptions &,
                                          const BufferizationState &, SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(MemRefType::get(type.getShape(), type.getElementType()));
  }
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &,
                          BufferizationState &) const {
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto buffer = LoadWeightOp::create(rewriter, op->getLoc(), MemRefType::get(type.getShape(), type.getElementType()),
                                       cast<LoadWeightOp>(op).getWeightAttr());
    replaceOpWithBufferizedValues(rewriter, op, buffer.getResult());
    return success();
  }
};

} // namespace

void tenon::registerBufferizableModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TenonDialect *) {
    LoadWeightOp::attachInterface<LoadWeightModel>(*context);
    DispatchOp::attachInterface<DestinationModel<DispatchOp>>(*context);
    JoinOp::attachInterface<DestinationModel<JoinOp>>(*context);
    TileContractOp::attachInterface<DestinationModel<TileContractOp>>(*context);
    TileFftOp::attachInterface<DestinationModel<TileFftOp>>(*context);
    TileTransformOp::attachInterface<DestinationModel<TileTransformOp>>(*context);
  });
}
