# How a module, its tests and its fuzzers are declared; warnings, sanitizers and coverage are set here once.
option(TRIMTAB_WERROR "Warnings are errors" OFF)
option(TRIMTAB_COVERAGE "Instrument for gcov" OFF)
option(TRIMTAB_FUZZ "Build the fuzzers (clang)" OFF)
option(TRIMTAB_STRIP "Strip the binary" OFF)
set(TRIMTAB_SANITIZE "" CACHE STRING "Value of -fsanitize=")
set(TRIMTAB_FUZZ_SECONDS 5 CACHE STRING "How long ctest runs each fuzzer")

add_compile_options(
  -Wall -Wextra -Wshadow -Wcast-qual -Wformat=2 -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith
  -Wundef -Wvla -Wwrite-strings -Wswitch-enum -Wno-missing-field-initializers -Wold-style-definition
  -Wredundant-decls -Wnull-dereference -fno-common -fstack-protector-strong -D_GNU_SOURCE)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-format-truncation) # texts are cut on purpose; clang does not know the option
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-ffunction-sections -fdata-sections -D_FORTIFY_SOURCE=2 -Wno-null-dereference)
  add_link_options(-Wl,--gc-sections -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
endif()
if(TRIMTAB_WERROR)
  add_compile_options(-Werror)
endif()
if(TRIMTAB_SANITIZE)
  add_compile_options(-fsanitize=${TRIMTAB_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                      -Wno-null-dereference)
  add_link_options(-fsanitize=${TRIMTAB_SANITIZE})
endif()
if(TRIMTAB_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(TRIMTAB_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()

# trimtab_soname(FILE VAR): the name by which the loader finds a shared library.
function(trimtab_soname file variable)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${file} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
  if(NOT headers MATCHES "SONAME +([^ \n]+)")
    message(FATAL_ERROR "${file} has no SONAME")
  endif()
  set(${variable} ${CMAKE_MATCH_1} PARENT_SCOPE)
endfunction()

# trimtab_library(NAME SOURCES a.c b.c DEPS lib…): a static library; headers are included from the root.
function(trimtab_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endfunction()

# trimtab_test(NAME SOURCES test_x.c DEPS lib… [ARGS …]): one cmocka binary, one ctest entry. Tests find their data
# through TEST_DATA_DIR, the folder tests/data of the module.
function(trimtab_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_definitions(${name} PRIVATE TEST_DATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}/tests/data")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} PkgConfig::CMOCKA)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# trimtab_fuzzer(NAME SOURCES fuzz_x.c DEPS lib… CORPUS dir): a libFuzzer binary; ctest starts from the seed corpus
# and leaves it as it is (what is found goes to the build folder).
function(trimtab_fuzzer name)
  cmake_parse_arguments(ARG "" "CORPUS" "SOURCES;DEPS" ${ARGN})
  if(NOT TRIMTAB_FUZZ)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}-corpus)
  add_test(NAME ${name} COMMAND ${name} -max_total_time=${TRIMTAB_FUZZ_SECONDS} -timeout=10 -rss_limit_mb=2048
    -max_len=65536 ${CMAKE_CURRENT_BINARY_DIR}/${name}-corpus ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
