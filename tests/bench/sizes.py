"""How much of everything one run does: enough to trust, or just enough to see that it works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    rounds: int  # times each workload runs on each server, in turn
    requests: float  # factor on the requests of a workload
    keys: int  # string keys present while throughput is measured
    elements: float  # factor on the elements of a data set in memory
    rest: float  # seconds a loaded server gets to finish what it left for later, before its memory is read
    stall_keys: int  # keys or elements that an event of the stall section is about
    watch: float  # factor on the time that latency is watched after an event
    expiry_backgrounds: tuple[int, ...]  # keys with a later deadline beside those that expire
    expiry_wait: float  # seconds after its deadline that a key may take to expire


DEFAULT = Sizes(
    rounds=3,
    requests=1.0,
    keys=1_000_000,
    elements=1.0,
    rest=1.0,
    stall_keys=1_000_000,
    watch=1.0,
    expiry_backgrounds=(0, 1_000_000),
    expiry_wait=10.0,
)

QUICK = Sizes(
    rounds=1,
    requests=0.1,
    keys=100_000,
    elements=0.1,
    rest=0.2,
    stall_keys=100_000,
    watch=0.3,
    expiry_backgrounds=(100_000,),
    expiry_wait=2.0,
)
