"""A second, slow way to a host: delayline.c between two TUN devices."""

import subprocess

from bed.hosts import ip
from bed.paths import BedError, TESTS
from bed.wait import accepts, wait_for


class SlowLine:
    """Gives a host `slow_address`, whose packets take `rtt_ms` there and
    back.

    Send SIGUSR1 to `process` to swallow all packets, and again to stop it.
    """

    def __init__(self, host, *, address, gateway, link, rtt_ms=40,
                 loss_ppm=0):
        self.host, self.address, self.gateway = host, address, gateway
        self.link, self.rtt_ms, self.loss_ppm = link, rtt_ms, loss_ppm
        self.process = None

    def start(self):
        program = self.host.state_dir / "delayline"
        built = subprocess.run(
            ["cc", "-O2", "-Wall", "-pthread", "-o", str(program),
             str(TESTS / "bed" / "delayline.c")],
            text=True, capture_output=True)
        if built.returncode != 0:
            raise BedError(f"delayline.c: {built.stderr}")
        with open(self.host.state_dir / f"{self.link}.log", "ab") as log:
            self.process = subprocess.Popen(
                [str(program), self.link, str(self.host.space.pid), "slow0",
                 str(self.rtt_ms * 500), str(self.loss_ppm)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True)
        if self.process.stdout.readline() != "ready\n":
            raise BedError(f"{self.link}: this machine has no TUN device")
        ip("addr", "add", f"{self.gateway}/32", "peer", self.address,
           "dev", self.link)
        ip("link", "set", self.link, "up")
        self.host.run(["ip", "addr", "add", f"{self.address}/32", "peer",
                       self.gateway, "dev", "slow0"])
        self.host.run(["ip", "link", "set", "slow0", "up"])
        self.host.slow_address = self.address
        self.host.write_known_hosts()
        wait_for("slow line", lambda: accepts(self.address, self.host.port))
        return self

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None
            self.host.slow_address = None
