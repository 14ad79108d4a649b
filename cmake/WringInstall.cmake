# SPDX-License-Identifier: Apache-2.0
#
# Headers, both libraries in both kinds, the command, pkg-config files and the CMake package.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/wring)
install(DIRECTORY include/wring DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(TARGETS wring-static wring-shared wring-proto-static wring-proto-shared EXPORT wring-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# The archives are installed as machine code only, as distributions do: bytecode of link-time
# optimisation is of one version of one compiler, and would bring our warnings into others' links.
if(WRING_IPO AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_OBJCOPY)
    foreach(name IN ITEMS wring wring-proto)
        install(CODE "
            set(archive \"${CMAKE_INSTALL_LIBDIR}/lib${name}.a\")
            cmake_path(ABSOLUTE_PATH archive BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
            execute_process(COMMAND \"${CMAKE_OBJCOPY}\" --remove-section=.gnu.lto_*
                --remove-section=.gnu.debuglto_* \"\$ENV{DESTDIR}\${archive}\"
                COMMAND_ERROR_IS_FATAL ANY)")
    endforeach()
endif()
if(TARGET wring-command)
    install(TARGETS wring-command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT wring-targets NAMESPACE wring:: DESTINATION ${package_dir})
configure_package_config_file(cmake/wring-config.cmake.in ${PROJECT_BINARY_DIR}/wring-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/wring-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/wring-config.cmake
    ${PROJECT_BINARY_DIR}/wring-config-version.cmake DESTINATION ${package_dir})

# The .pc files find the prefix from where they lie, so that they are right after
# `cmake --install --prefix` and after a move. An absolute folder is none of the prefix's.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
    file(RELATIVE_PATH pc_up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
    string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
    set(pc_prefix "\${pcfiledir}/${pc_up}")
endif()
foreach(folder IN ITEMS LIB INCLUDE)
    set(pc_${folder}DIR "${CMAKE_INSTALL_${folder}DIR}")
    if(NOT IS_ABSOLUTE "${pc_${folder}DIR}")
        set(pc_${folder}DIR "\${prefix}/${pc_${folder}DIR}")
    endif()
endforeach()
foreach(name IN ITEMS wring wring-proto)
    configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
