"""Protection of thread priorities from encoders.

SVT-AV1 gives itself real-time priority wherever it may: all its threads, and also the thread that opens it, which keeps
the priority after the encoder is closed. That thread is one of trio's, which later runs other calls, and threads that
wait actively, as those of libvpx do, then wait for ever for threads of normal priority.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

_TASKS = "/proc/self/task"


@contextlib.contextmanager
def preserved_thread_priority() -> Iterator[None]:
    """Restore the priority of this thread after the block, and let threads that begin in the block have the same.

    Other systems than Linux have no such priorities that a library can take without being asked.
    """
    if sys.platform != "linux" or not os.path.isdir(_TASKS):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    earlier = set(os.listdir(_TASKS))
    try:
        yield
    finally:
        for thread in [0, *(int(task) for task in os.listdir(_TASKS) if task not in earlier)]:
            # A thread may have ended. A process that may raise its priority may also lower it.
            with contextlib.suppress(OSError):
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, parameters)
