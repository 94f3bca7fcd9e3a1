"""A lane lets its faults happen one after the other while other lanes do the same. Each is a thread that lives as long as the soak: the
kernel ends what a thread has started when the thread ends."""
import queue
import random
import threading
import time


class Lane(threading.Thread):
    def __init__(self, name, soak, kinds):
        super().__init__(daemon=True, name=name)
        self.soak, self.kinds = soak, kinds
        self.struck = []
        self._jobs, self._done = queue.Queue(), queue.Queue()
        self.start()

    def begin(self, strikes, began):
        self._jobs.put((strikes, began))

    def wait(self):
        """Until the last fault is mended; raises what went wrong."""
        while True:
            try:
                failure = self._done.get(timeout=0.2)  # short, so that signals are heard
                break
            except queue.Empty:
                self.soak.rest(0)
        if failure:
            raise failure

    def run(self):
        while True:
            strikes, began = self._jobs.get()
            self.struck = []
            try:
                self._work(strikes, began)
                self._done.put(None)
            except BaseException as failure:  # noqa: BLE001 raised by wait()
                self._done.put(failure)

    def _work(self, strikes, began):
        for strike in strikes:
            self.soak.rest(max(0, began + strike.at - time.monotonic()))
            self._strike(strike)

    def _strike(self, strike):
        mine = self.soak.own
        mine.dice, mine.hold, mine.after, mine.lane = random.Random(strike.dice), strike.hold, [], self.name
        self.soak.tell(f"{strike} …")
        fault = self.kinds[strike.kind][1](self.soak)
        next(fault)
        self.soak.rest(strike.hold)
        next(fault, None)
        for restore in mine.after:
            restore(self.soak)
        self.soak.tell(f"{strike} mended")
        self.struck.append(strike.kind)
