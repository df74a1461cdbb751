# tenon_library(Name SOURCES ... DEPENDS <tenon rooms> [NO_MLIR] [RTTI_EXCEPTIONS])
#
# One room = one static library. Rooms that use MLIR share one precompiled header (a file that includes linalg, scf and
# vector takes nine seconds to parse without it). NO_MLIR rooms (Runtime, Support's C++ side) must not see LLVM or MLIR:
# a cached model loads without either.
add_library(tenonPCH OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_precompile_headers(tenonPCH PRIVATE ${CMAKE_SOURCE_DIR}/cmake/TenonPCH.h)
target_compile_options(tenonPCH PRIVATE -fno-exceptions -Xclang -fno-pch-timestamp)

function(tenon_library name)
  cmake_parse_arguments(ARG "NO_MLIR;EXCEPTIONS" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} ${ARG_LINK})
  if(NOT ARG_NO_MLIR)
    # Whoever links rooms gets the shared libraries, unless it brings the static ones.
    target_link_libraries(${name} PUBLIC $<$<NOT:$<BOOL:$<TARGET_PROPERTY:TENON_STATIC_LLVM>>>:MLIR$<SEMICOLON>LLVM>)
    add_dependencies(${name} TenonIncGen)
    if(NOT ARG_EXCEPTIONS)
      target_precompile_headers(${name} REUSE_FROM tenonPCH)
      target_compile_options(${name} PRIVATE -fno-exceptions -Xclang -fno-pch-timestamp)
    endif()
  endif()
endfunction()

function(tenon_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} MLIR LLVM)
  add_dependencies(${name} TenonIncGen)
  target_precompile_headers(${name} REUSE_FROM tenonPCH)
  target_compile_options(${name} PRIVATE -fPIC -fno-exceptions -Xclang -fno-pch-timestamp)
endfunction()
