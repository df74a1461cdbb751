//===- Schedules.cpp - schedules that are given as text ----------------------------------===//
#include "Schedules.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

llvm::Expected<DictionaryAttr> tenon::readSchedules(const std::map<std::string, std::string> &texts,
                                                    MLIRContext *context) {
  SmallVector<NamedAttribute> given;
  for (const auto &[name, text] : texts) {
    std::string reason;
    Attribute schedule;
    {
      ScopedDiagnosticHandler reading(context, [&](Diagnostic &diagnostic) {
        reason += (reason.empty() ? "" : "; ") + diagnostic.str();
        return success();
      });
      schedule = parseAttribute(text, context);
    }
    if (!isa_and_present<ScheduleAttr>(schedule))
      return llvm::createStringError(
          "the schedule given for '%s' cannot be read: %s; it is \"%s\", and should be like those that `tenon explain` "
          "shows",
          name.c_str(), reason.empty() ? "expected a #tenon.schedule" : reason.c_str(), text.c_str());
    given.emplace_back(StringAttr::get(context, name), schedule);
  }
  return DictionaryAttr::get(context, given);
}
