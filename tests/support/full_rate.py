"""The program of a room at full rate: members who hear, one who publishes as fast as messages come back.

Takes a line of JSON with the seconds to go on for, and answers with what the members saw: `FullRoom` in
`support.herds` is its other end.
"""

import asyncio
import json
import statistics
import sys

import uvloop

from gateroom.bench.crowd import Crowd
from gateroom.bench.wires import WIRES

IN_FLIGHT = 16
_PATIENCE = 30.0  # seconds until the last message has come
_PACE = 0.001  # seconds between two looks whether it has


async def fly(crowd: Crowd, seconds: float) -> dict[str, float]:
    """Publish for so long, and say how long deliveries took (in milliseconds)."""
    assert crowd.publisher
    published, due = crowd.published, crowd.deliveries
    crowd.latencies = []
    crowd.publisher.goes_on = True
    crowd.publisher.publish(IN_FLIGHT)
    await asyncio.sleep(seconds)
    crowd.publisher.goes_on = False
    due += (crowd.published - published) * len(crowd.members)
    async with asyncio.timeout(_PATIENCE):
        while crowd.deliveries < due:
            await asyncio.sleep(_PACE)
            crowd.check()
    hundredths = statistics.quantiles(crowd.latencies, n=100)
    crowd.latencies = None
    return {
        "messages": crowd.published - published,
        "surplus": crowd.deliveries - due,
        "p50": hundredths[49] / 1000,
        "p99": hundredths[98] / 1000,
    }


async def main() -> None:
    """Fill the lobby, and obey until standard input ends."""
    port, token, members = sys.argv[1:]
    crowd = Crowd(int(port), WIRES["gateroom"])
    await crowd.open(int(members), [token])
    while line := await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(json.dumps(await fly(crowd, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
