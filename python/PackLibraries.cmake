# Copies libtenon.so, libtenon_compiler.so and what the latter needs beyond the C library into the wheel's tenon/lib,
# stripped and with run paths of $ORIGIN, so that nothing but the wheel is needed where it is installed.
set(destination "${CMAKE_INSTALL_PREFIX}/tenon/lib")
file(MAKE_DIRECTORY "${destination}")
set(libraries "${native}/libtenon.so" "${native}/libtenon_compiler.so")
file(GET_RUNTIME_DEPENDENCIES
     LIBRARIES ${libraries}
     RESOLVED_DEPENDENCIES_VAR needed
     UNRESOLVED_DEPENDENCIES_VAR unresolved
     PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|gcc_s|stdc\\+\\+)\\.so" "^libtenon")
if(unresolved)
  message(FATAL_ERROR "libraries not found: ${unresolved}")
endif()
foreach(library ${libraries} ${needed})
  get_filename_component(name "${library}" NAME)
  get_filename_component(real "${library}" REALPATH)
  message(STATUS "packing ${name}")
  configure_file("${real}" "${destination}/${name}" COPYONLY)
  foreach(command "strip --strip-unneeded" "patchelf --set-rpath \\$ORIGIN")
    separate_arguments(words UNIX_COMMAND "${command}")
    execute_process(COMMAND ${words} "${destination}/${name}" RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "'${command} ${destination}/${name}' failed; 'make setup' installs strip and patchelf")
    endif()
  endforeach()
endforeach()
