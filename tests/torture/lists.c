/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of this folder. Those of tests/h2 have a program of their own.
 */
#include <stddef.h>

#include "tests/torture/torture.h"

const torture_case *const torture_lists[] = {torture_machine,
                                             torture_handshake,
                                             torture_client,
                                             torture_deflate,
                                             torture_world,
                                             torture_http,
                                             NULL};
