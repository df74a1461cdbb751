//===- CodeGen.cpp - from the LLVM dialect to objects ------------------------------------===//
#include "tenon/Target/CPU/CodeGen.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace {

/// A value that one turn of a loop loads and the next one would load again at another place is not kept in a register:
/// neighbouring elements of a convolution's input are such values, and there is no register left for them in loops that
/// fill the register file. The pipelines of PassBuilder leave no other way to say so than the pass's own option.
void keepLoadsInLoops() {
  auto &options = llvm::cl::getRegisteredOptions();
  if (auto found = options.find("enable-load-in-loop-pre"); found != options.end())
    static_cast<llvm::cl::opt<bool> *>(found->second)->setValue(false);
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeMachine(tenon::TargetAttr target) {
  static const bool initialised = [] {
    keepLoadsInLoops();
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)initialised;
  std::string message;
  llvm::Triple triple(target.getTriple());
  const llvm::Target *backend = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!backend)
    return llvm::createStringError("no backend for target '%s': %s", target.getTriple().str().c_str(), message.c_str());
  llvm::TargetOptions options;
  options.FunctionSections = true;
  std::unique_ptr<llvm::TargetMachine> machine(
      backend->createTargetMachine(triple, target.getCpu(), target.getFeatures(), options, llvm::Reloc::PIC_,
                                   std::nullopt, llvm::CodeGenOptLevel::Default));
  if (!machine)
    return llvm::createStringError("no code generator for target '%s'", target.getTriple().str().c_str());
  return machine;
}

llvm::Expected<std::unique_ptr<llvm::Module>> translate(ModuleOp module, llvm::LLVMContext &context,
                                                        llvm::TargetMachine &machine) {
  std::unique_ptr<llvm::Module> result = translateModuleToLLVMIR(module, context, "tenon");
  if (!result)
    return llvm::createStringError("translation to LLVM IR failed");
  result->setTargetTriple(machine.getTargetTriple());
  result->setDataLayout(machine.createDataLayout());
  for (llvm::Function &function : *result) {
    // Only the model's entry points leave the shared object.
    if (!function.hasLocalLinkage() && !function.isIntrinsic() && function.getName().starts_with("tenon_") &&
        !function.getName().starts_with("tenon_model_"))
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", machine.getTargetCPU());
      function.addFnAttr("target-features", machine.getTargetFeatureString());
      function.addFnAttr("prefer-vector-width", "512");
      function.addFnAttr(llvm::Attribute::NoUnwind);
    }
  }
  return result;
}

/// What kernels need of LLVM's passes. They come with their loops in order, unrolled and vectorised, and call nothing
/// that could be inlined: the default pipelines spend twice the time on them and make the same code.
constexpr llvm::StringLiteral kKernelPasses =
    "function(sroa,early-cse,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(loop-rotate,licm),gvn,"
    "instcombine<no-verify-fixpoint>,simplifycfg,dse,adce)";

llvm::Error buildPipeline(llvm::PassBuilder &builder, unsigned level, llvm::ModulePassManager &passes) {
  if (level == 2)
    return builder.parsePassPipeline(passes, kKernelPasses);
  passes = level == 0   ? builder.buildO0DefaultPipeline(llvm::OptimizationLevel::O0)
           : level == 1 ? builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O1)
                        : builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3);
  return llvm::Error::success();
}

llvm::Expected<llvm::SmallVector<char, 0>> emit(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("the target cannot emit objects");
  passes.run(module);
  return bytes;
}

} // namespace

void tenon::registerCPUTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

llvm::Expected<std::string> tenon::emitLLVMText(ModuleOp module, TargetAttr target) {
  auto machine = makeMachine(target);
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto result = translate(module, context, **machine);
  if (!result)
    return result.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*result)->print(stream, nullptr);
  return text;
}

llvm::Expected<llvm::SmallVector<char, 0>> tenon::emitObject(ModuleOp module, TargetAttr target,
                                                             const CodeGenOptions &options) {
  auto machine = makeMachine(target);
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  auto translated = translate(module, context, **machine);
  if (!translated)
    return translated.takeError();

  llvm::PipelineTuningOptions tuning;
  tuning.LoopUnrolling = false; // spills at random in loops that fill the register file
  tuning.LoopInterleaving = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(machine->get(), tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager calls;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  llvm::ModulePassManager passes;
  if (llvm::Error error = buildPipeline(builder, options.level, passes))
    return std::move(error);
  passes.run(**translated, modules);
  return emit(**translated, **machine);
}

llvm::Expected<llvm::SmallVector<char, 0>> tenon::emitGlue(llvm::StringRef manifest, TargetAttr target) {
  auto machine = makeMachine(target);
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  llvm::Module module("glue", context);
  module.setTargetTriple((*machine)->getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  llvm::IRBuilder<> builder(context);
  llvm::Type *pointer = builder.getPtrTy(), *i64 = builder.getInt64Ty(), *i32 = builder.getInt32Ty(),
             *nothing = builder.getVoidTy();

  llvm::Constant *text = llvm::ConstantDataArray::getString(context, manifest, /*AddNull=*/true);
  new llvm::GlobalVariable(module, text->getType(), true, llvm::GlobalValue::ExternalLinkage, text,
                           "tenon_model_manifest");
  auto *table = new llvm::GlobalVariable(module, pointer, false, llvm::GlobalValue::InternalLinkage,
                                         llvm::ConstantPointerNull::get(builder.getPtrTy()), "tenon_table");

  auto *bindType = llvm::FunctionType::get(nothing, {pointer}, false);
  auto *bind = llvm::Function::Create(bindType, llvm::GlobalValue::ExternalLinkage, "tenon_model_bind", module);
  builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", bind));
  builder.CreateStore(bind->getArg(0), table);
  builder.CreateRetVoid();

  // In the order of tenon_rt_api in runtime.h.
  const std::pair<const char *, llvm::FunctionType *> functions[] = {
      {"parallel_for", llvm::FunctionType::get(i32, {pointer, pointer, pointer, i64, i64}, false)},
      {"dispatch", llvm::FunctionType::get(i32, {pointer, i64, pointer, pointer, i64, i64}, false)},
      {"arena", llvm::FunctionType::get(pointer, {pointer, i64}, false)},
      {"alloc", llvm::FunctionType::get(pointer, {pointer, i64}, false)},
      {"free", llvm::FunctionType::get(nothing, {pointer, pointer}, false)},
      {"weight", llvm::FunctionType::get(pointer, {pointer, i64}, false)},
      {"output", llvm::FunctionType::get(pointer, {pointer, i64, pointer, i64}, false)},
      {"error", llvm::FunctionType::get(i32, {pointer, i32, pointer}, false)}};
  for (auto [index, function] : llvm::enumerate(functions)) {
    auto *stub = llvm::Function::Create(function.second, llvm::GlobalValue::ExternalLinkage,
                                        llvm::Twine("tenon_rt_") + function.first, module);
    stub->setVisibility(llvm::GlobalValue::HiddenVisibility);
    builder.SetInsertPoint(llvm::BasicBlock::Create(context, "", stub));
    llvm::Value *base = builder.CreateLoad(pointer, table);
    llvm::Value *target = builder.CreateLoad(pointer, builder.CreateConstGEP1_64(pointer, base, index));
    llvm::SmallVector<llvm::Value *> arguments;
    for (llvm::Argument &argument : stub->args())
      arguments.push_back(&argument);
    llvm::CallInst *call = builder.CreateCall(function.second, target, arguments);
    call->setTailCallKind(llvm::CallInst::TCK_Tail);
    if (function.second->getReturnType()->isVoidTy())
      builder.CreateRetVoid();
    else
      builder.CreateRet(call);
  }
  return emit(module, **machine);
}
