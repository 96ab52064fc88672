"""Write docs/pictures/report.svg: a real report, as a terminal shows it.

    python docs/picture.py

Runs examples/shop with ``--leaks=report`` on a terminal 100 columns wide, and draws what it prints
there with ``rich`` (docs/requirements.txt). Needs Python 3.8 and a system with pseudo-terminals.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(ROOT, "docs", "pictures", "report.svg")
COMMAND = ["-m", "unittest_leakfix", "--leaks=report", "discover", "-s", "examples/shop"]
COLUMNS = 100


def printed():
    """Return what the command prints on a terminal, colours included."""
    terminal, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = dict(os.environ, TERM="xterm-256color", PYTHONIOENCODING="utf-8")
    for name in ("NO_COLOR", "PYTHON_COLORS", "FORCE_COLOR"):
        environment.pop(name, None)
    child = subprocess.Popen([sys.executable] + COMMAND, cwd=ROOT, env=environment,
                             stdin=other, stdout=other, stderr=other)
    os.close(other)
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:     # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    if child.wait():
        raise SystemExit("the example failed")
    return b"".join(parts).decode("utf-8").replace("\r\n", "\n")


def picture(text):
    """Return *text* with its colours as SVG, without anything that would have to be loaded."""
    import io

    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), legacy_windows=False)
    console.print(Text("$ python %s" % " ".join(COMMAND), style="bold"))
    # One figure differs from run to run.
    console.print(Text.from_ansi(re.sub(r"(Ran \d+ tests in )\S+s", r"\g<1>0.014s", text.rstrip())))
    drawn = console.export_svg(title="unittest_leakfix", unique_id="report")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("font-family: Fira Code, monospace", "font-family: monospace")


def main():
    """Write the picture."""
    drawn = picture(printed())
    with open(TARGET, "w", encoding="utf-8", newline="\n") as file:
        file.write(drawn.rstrip() + "\n")
    print("written: %s (%d bytes)" % (os.path.relpath(TARGET), len(drawn)))


if __name__ == "__main__":
    main()
