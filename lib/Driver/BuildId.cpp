//===- BuildId.cpp - which compiler this is; alone, because it changes with every source -----===//
#include "tenon/Driver/BuildId.h"
#include "tenon/BuildId.h"

std::string tenon::getCompilerId() { return TENON_VERSION "+" TENON_BUILD_ID; }
