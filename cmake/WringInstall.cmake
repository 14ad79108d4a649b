# SPDX-License-Identifier: Apache-2.0
# Headers, both libraries in both kinds, the command, pkg-config files and the CMake package.
install(DIRECTORY include/wring DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
