# SPDX-License-Identifier: Apache-2.0
#
# cmake -DINPUT=file -DOUTPUT=file.c -DSYMBOL=name -P EmbedFile.cmake
# Turns a file into a C array `SYMBOL` and its length `SYMBOL_len`.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT}
    "/* Generated from ${INPUT}. */\n#include <stddef.h>\n"
    "extern const unsigned char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_len;\n"
    "const unsigned char ${SYMBOL}[] = {${bytes}};\n"
    "const size_t ${SYMBOL}_len = sizeof ${SYMBOL};\n")
