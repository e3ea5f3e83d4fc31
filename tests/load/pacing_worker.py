"""One of several processes that share a pace: python -m tests.load.pacing_worker URL RATE SECONDS.

Says `ready`, waits for a line, and prints the turns that it was given, on the server's clock, as
one list of JSON; four threads ask for them, as the loader does.
"""

import json
import sys
import threading

from load.pace.limiter import Turn
from load.pace.pacer import Pacer
from load.pace.shared import SharedLimiter


class Recorder(SharedLimiter):
    """Writes down when each turn is, by the server that gave it."""

    given: list[float]

    def reserve(self) -> Turn:
        turn = super().reserve()
        assert not turn.is_alone
        self.given.append(turn.at)
        return turn


def main() -> None:
    url, rate, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    recorder = Recorder(url, "exchange", rate)
    recorder.given = []
    pacer, stop = Pacer(rate, limiter=recorder), threading.Event()
    print("ready", flush=True)
    sys.stdin.readline()

    def read() -> None:
        while not recorder.given or recorder.given[-1] < recorder.given[0] + seconds:
            pacer.admit(stop)
            pacer.succeeded()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(recorder.given))


if __name__ == "__main__":
    main()
