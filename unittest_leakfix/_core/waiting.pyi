from collections.abc import Callable

CLOSE_TIMEOUT: float

class CloseTimeout(RuntimeError): ...

def wait_until(
    is_over: Callable[[], object],
    what: str,
    limit: float | None = None,
    clock: Callable[[], float] = ...,
    sleep: Callable[[float], object] = ...,
) -> None: ...
def within(
    work: Callable[[], object],
    what: str,
    limit: float | None = None,
    start: Callable[..., object] = ...,
) -> None: ...
