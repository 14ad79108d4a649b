# SPDX-License-Identifier: Apache-2.0
"""The comparison with other servers: script/bench suite. Python's standard library only.

    rows.py        what is measured
    contenders.py  whom
    servers.py     one server process: start, CPU time, memory, end
    probe.py       does a server answer rightly, before it is measured
    generator.py   `wring bench`: its options, its JSON
    texts.py       a message to compress
    figures.py     medians, quartiles, ratios
    runner.py      rounds of interleaved measurements
    machine.py     on what
    report.py      the Markdown page
    pictures.py    the SVG pictures
    main.py        options, files
"""
