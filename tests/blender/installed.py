# SPDX-License-Identifier: Apache-2.0
"""What the tests of the installed extension share: which one fits here, and a trace of the network."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["BLENDER", "PLATFORM", "network_calls", "traced"]

BLENDER = {(3, 11): "4.5", (3, 13): "5.2"}.get(sys.version_info[:2], "")
PLATFORM = {"linux": "linux-x64", "win32": "windows-x64", "darwin": "macos-arm64"}.get(sys.platform, "")
if PLATFORM == "linux-x64" and platform.machine() != "x86_64":
    PLATFORM = ""


def traced(command: list[str], log: Path) -> list[str]:
    """``command`` under strace, which sees every system call that has to do with sockets, of all its processes.

    Native code cannot get around it, unlike around an audit hook. The command as it is where there is no strace.
    """
    strace = shutil.which("strace")
    if strace is None:
        return command
    options = ["-f", "--seccomp-bpf", "-e", "trace=network", "-o", str(log)]
    if subprocess.run([strace, *options, sys.executable, "-c", ""], capture_output=True).returncode:
        return command  # not allowed to trace here
    return [strace, *options, *command]


def network_calls(log: Path) -> list[str]:
    """The calls of a trace that reach beyond this machine: a connection or a datagram, or asking for a host's address.

    A socket that is made and only bound does not count (urllib3, which Blender imports, does that to find out whether
    there is IPv6), nor does a connection to nscd alone (looking up the user's own name opens one).
    """
    calls = log.read_text(encoding="utf-8", errors="replace").splitlines()
    reaching = re.compile(r"(connect|sendto|sendmsg|sendmmsg)\(.*AF_INET|systemd/resolve|hosts\\0")
    return [c for c in calls if reaching.search(c)]
