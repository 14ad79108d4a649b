# SPDX-License-Identifier: Apache-2.0
#
# Two libraries from one set of objects: wring-proto (core + proto: sans-I/O) and wring
# (everything). wring holds proto's objects too, so that a program links one of them, never both.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)

function(wring_objects name)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.c)
    if(NOT sources)
        return()
    endif()
    add_library(wring_${name} OBJECT ${sources})
    target_link_libraries(wring_${name} PRIVATE wring_flags ${ARGN})
endfunction()

wring_objects(core)
wring_objects(proto OpenSSL::Crypto ZLIB::ZLIB)

# One file per instruction set, each compiled for it; chosen at run time (proto/kernels.c).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    foreach(isa IN ITEMS sse41 avx2 avx512)
        file(GLOB isa_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/proto/*_${isa}.c)
        set(isa_flags_sse41 -msse4.1 -mssse3)
        set(isa_flags_avx2 -mavx2 -mbmi -mbmi2)
        set(isa_flags_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512vbmi -mbmi -mbmi2)
        set_source_files_properties(${isa_sources} PROPERTIES
            COMPILE_OPTIONS "${isa_flags_${isa}}")
    endforeach()
endif()

set(WRING_PROTO_OBJECTS $<TARGET_OBJECTS:wring_core> $<TARGET_OBJECTS:wring_proto>)
set(WRING_PROTO_LINK OpenSSL::Crypto ZLIB::ZLIB)
set(WRING_ALL_OBJECTS ${WRING_PROTO_OBJECTS})
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
foreach(folder IN ITEMS io stream server client)
    wring_objects(${folder} PkgConfig::URING PkgConfig::CARES PkgConfig::NGHTTP2 OpenSSL::SSL)
    if(TARGET wring_${folder})
        list(APPEND WRING_ALL_OBJECTS $<TARGET_OBJECTS:wring_${folder}>)
    endif()
endforeach()
set(WRING_LINK OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB PkgConfig::URING PkgConfig::CARES PkgConfig::NGHTTP2 Threads::Threads)

function(wring_library name objects)
    foreach(kind IN ITEMS static shared)
        string(TOUPPER ${kind} KIND)
        add_library(${name}-${kind} ${KIND} ${${objects}})
        set_target_properties(${name}-${kind} PROPERTIES
            OUTPUT_NAME ${name} VERSION ${PROJECT_VERSION}
            SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME ${name}-${kind})
        target_include_directories(${name}-${kind} INTERFACE
            $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
        target_link_libraries(${name}-${kind} PRIVATE $<BUILD_INTERFACE:wring_flags> ${ARGN})
        add_library(wring::${name}-${kind} ALIAS ${name}-${kind})
    endforeach()
    # Hidden visibility keeps our own names in; the map also keeps in those of what we link statically,
    # and gives each exported name a version.
    set(map ${PROJECT_SOURCE_DIR}/cmake/wring.map)
    target_link_options(${name}-shared PRIVATE LINKER:--version-script=${map})
    set_target_properties(${name}-shared PROPERTIES LINK_DEPENDS ${map})
endfunction()

wring_library(wring-proto WRING_PROTO_OBJECTS ${WRING_PROTO_LINK})
wring_library(wring WRING_ALL_OBJECTS ${WRING_LINK})

# The names of the installed package, for programs that have this project as a subdirectory.
add_library(wring::wring ALIAS wring-shared)
add_library(wring::wring-proto ALIAS wring-proto-shared)
