//===- BuildId.cpp - which compiler this is; alone, because it changes with every source -----===//
#include "tenon/BuildId.h"
#include "tenon/Driver/Compile.h"

std::string tenon::getCompilerId() { return TENON_VERSION "+" TENON_BUILD_ID; }
