# SPDX-License-Identifier: Apache-2.0
"""A message to compress."""
from random import Random


def json_like(size):
    """Text such as a push server sends: field names that repeat, values that do not."""
    random = Random(1)
    events = []
    while len(",".join(events)) < size:
        events.append(f'{{"id":{random.randrange(10**8)},"user":"u{random.randrange(10**4)}",'
                      f'"kind":"{random.choice(("update", "insert", "delete"))}",'
                      f'"price":{random.random() * 1000:.2f},"ok":true}}')
    return ",".join(events)[:size]
