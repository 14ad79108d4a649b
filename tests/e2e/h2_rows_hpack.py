# SPDX-License-Identifier: Apache-2.0
"""The rows of compressed header blocks. See h2_owed.py."""
from h2_owed import answered, answers, because, dies, malformed, noted, resets, row
from h2_wire import (COMPRESSION, END_HEADERS, END_STREAM, PROTOCOL, TABLE_SIZE, data, get, head,
    headers, indexed, integer, literal, post, reset, settings, split, string, table_size)

HUFFMAN = 0x80  # of the length of a string


def with_head(*more, before=b"", stream=3):
    return headers(stream, before + head("/hello", *more))


# ---- good blocks ---------------------------------------------------------------------------------

because("7541 6")
row("hpack: of the static table", answers(3, 200),
    headers(3, b"\x82\x86" + literal(":path", "/hello") + b"\x01" + string("localhost")))
row("hpack: never indexed", answers(3, 200), with_head(literal("a", "b", 0x10)))
row("hpack: added to the table, and used", answers(3, 200) & answers(5, 200),
    with_head(literal("a", "b", 0x40)) + with_head(indexed(62), stream=5))
row("hpack: a name of the table", answers(3, 200) & answers(5, 200),
    with_head(literal("abc", "b", 0x40)) + with_head(integer(62, 4) + string("c"), stream=5))
row("hpack: a string of no bytes", answers(3, 200), with_head(literal("a", "")))
row("hpack: Huffman", answers(3, 200),  # "www.example.com" of RFC 7541 C.4.1 in a field
    with_head(b"\0" + string("a") + b"\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"))
row("hpack: a table of 0", answers(3, 200), with_head(before=table_size(0)))
row("hpack: a table of 0, then of 4,096", answers(3, 200),
    with_head(before=table_size(0) + table_size(4096)))
row("hpack: a smaller table drops entries", dies(COMPRESSION), with_head(literal("a", "b", 0x40))
    + headers(5, table_size(0) + table_size(4096) + head("/hello", indexed(62))), why="7541 4.3")
row("hpack: an entry larger than the table empties it", dies(COMPRESSION),
    with_head(literal("a", "b", 0x40), literal("c", "d" * 4090, 0x40))
    + with_head(indexed(62), stream=5), why="7541 4.4")
row("hpack: entries are dropped when it is full", answers(3, 200) & dies(COMPRESSION)
    | dies(COMPRESSION), with_head(*[literal(f"a{i}", "b" * 1000, 0x40) for i in range(5)])
    + with_head(indexed(66), stream=5), why="7541 4.4")
row("hpack: an announced table of 0 is the server's", answers(3, 200) & answers(5, 200),
    settings((TABLE_SIZE, 0)) + get(3) + get(5), why="7541 4.2")
row("hpack: an announced larger table", answers(3, 200) & answers(5, 200),
    settings((TABLE_SIZE, 1 << 16)) + get(3) + get(5), why="7541 4.2")

# ---- the table is one of the connection -------------------------------------------------------------

because("9113 4.3")
row("hpack: entries of a malformed request", (resets(3, PROTOCOL) | answers(3, 400))
    & answers(5, 200), with_head(literal("a", "b", 0x40), ("B", "c"))
    + with_head(indexed(62), stream=5))
row("hpack: entries behind a malformed field", (resets(3, PROTOCOL) | answers(3, 400))
    & answers(5, 200), with_head(("B", "c"), literal("a", "b", 0x40))
    + with_head(indexed(62), stream=5))
row("hpack: entries of a request that is too large", answers(3, 431) & answers(5, 200),
    split(3, head("/hello", literal("a", "b", 0x40), *[("c", "x" * 1000)] * 20), 16384)
    + with_head(indexed(62), stream=5))
row("hpack: entries of trailers", answers(3, 200) & answers(5, 200),
    post(3) + headers(3, literal("a", "b", 0x40)) + with_head(indexed(62), stream=5))
row("hpack: entries of trailers of a stream that was refused", answers(5, 200),
    headers(3, head("/hello", ("A", "b"), method="POST"), END_HEADERS), noted,
    headers(3, literal("a", "b", 0x40)), noted, with_head(indexed(62), stream=5),
    lambda c: c.streams.pop(3))
row("hpack: entries of a request that is reset", answers(5, 200),
    headers(3, head("/never", literal("a", "b", 0x40))) + reset(3)
    + with_head(indexed(62), stream=5))

# ---- bad blocks ----------------------------------------------------------------------------------

because("7541 6.1")
row("hpack: index 0", dies(COMPRESSION), with_head(b"\x80"))
row("hpack: an index behind the table", dies(COMPRESSION), with_head(indexed(62)))
row("hpack: an index far behind the table", dies(COMPRESSION), with_head(indexed(10000)))
row("hpack: a name behind the table", dies(COMPRESSION),
    with_head(integer(70, 6, 0x40) + string("x")))
row("hpack: a name far behind the table, not indexed", dies(COMPRESSION),
    with_head(integer(200, 4) + string("x")))
because("7541 5.1")
row("hpack: an integer that overflows", dies(COMPRESSION),
    with_head(b"\xff" + b"\xff" * 10 + b"\x01"))
row("hpack: an integer of 32 bits and more", dies(COMPRESSION),
    with_head(b"\xff\x80\x80\x80\x80\x10"))
row("hpack: an integer that has no end", dies(COMPRESSION), with_head(b"\xff\xff"))
row("hpack: the length of a string overflows", dies(COMPRESSION),
    with_head(b"\0\x01a\x7f" + b"\xff" * 10 + b"\x01"))
because("7541 5.2")
row("hpack: a name behind the block's end", dies(COMPRESSION), with_head(b"\0\x7fabc"))
row("hpack: a value behind the block's end", dies(COMPRESSION), with_head(b"\0\x01a\x05abc"))
row("hpack: no value", dies(COMPRESSION), with_head(b"\0\x01a"))
row("hpack: only the first byte of a field", dies(COMPRESSION), with_head(b"\x40"))
row("hpack: a field cut at the end of a frame", answers(3, 200),
    split(3, head("/hello", ("abc", "def")), len(head()) + 3), why="9113 4.3")
row("hpack: Huffman with EOS", dies(COMPRESSION), with_head(b"\0\x01a" + bytes([HUFFMAN | 4])
    + b"\xff\xff\xff\xff"))
row("hpack: Huffman with EOS behind a letter", dies(COMPRESSION),
    with_head(b"\0\x01a" + bytes([HUFFMAN | 5]) + b"\x1f\xff\xff\xff\xff"))
row("hpack: Huffman with padding of 0", dies(COMPRESSION),
    with_head(b"\0\x01a" + bytes([HUFFMAN | 1]) + b"\x18"))
row("hpack: Huffman with 8 bits of padding", dies(COMPRESSION),
    with_head(b"\0\x01a" + bytes([HUFFMAN | 2]) + b"\x1f\xff"))
row("hpack: Huffman in a name, with padding of 0", dies(COMPRESSION),
    with_head(b"\0" + bytes([HUFFMAN | 1]) + b"\x18" + string("b")))
because("7541 4.2")
row("hpack: a table larger than allowed", dies(COMPRESSION), with_head(before=table_size(4097)))
row("hpack: a table much larger than allowed", dies(COMPRESSION),
    with_head(before=table_size(1 << 20)))
row("hpack: the table's size behind a field", dies(COMPRESSION), with_head(table_size(100)))
row("hpack: the table's size between fields", dies(COMPRESSION),
    with_head(("a", "b"), table_size(0), ("c", "d")))
row("hpack: the table's size, and no more", dies(COMPRESSION) | resets(3, PROTOCOL) | malformed(3),
    headers(3, table_size(100)))
because("9113 4.3")
row("hpack: a bad block of trailers", dies(COMPRESSION), post(3) + data(3, b"abc")
    + headers(3, b"\x80"))
row("hpack: a bad block in CONTINUATION", dies(COMPRESSION), split(3, head() + b"\x80", 30))
row("hpack: a bad block of a stream that was reset", dies(COMPRESSION),
    headers(3, head("/hello", ("A", "b"), method="POST"), END_HEADERS), noted, headers(3, b"\x80"))
assert answered and END_STREAM
