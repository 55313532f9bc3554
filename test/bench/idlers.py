#!/usr/bin/env python3
"""Connections that are of no use to anybody, until it is killed: idlers.py PORT silent|slow|deaf COUNT ADDRESS...

silent sends nothing; slow a login, one byte a second; deaf logs in to a discovery session, asks for all targets again and
again, and reads no answer. They come from the addresses (127.0.0.x) in turn, and one that is closed comes back within a second.
Prints "ready" as it begins, and then every second how many stand.
"""
import select
import socket
import struct
import sys
import time

LOGIN = ("InitiatorName=iqn.2026-11.local.bench:idler", "SessionType=Discovery", "AuthMethod=None", "HeaderDigest=None",
         "DataDigest=None")
QUESTIONS = 30  # within the window of commands: what is beyond would be passed over


def pdu(opcode, flags, tag, cmd_sn, texts):
    """A request of RFC 7143 11.10 or 11.12 at the start of a session."""
    data = "".join(text + "\0" for text in texts).encode()
    isid = b"\x80\0\0\0\0\0\0\0" if opcode == 0x43 else bytes(8)
    header = (bytes([opcode, flags, 0, 0]) + struct.pack(">I", len(data)) + isid +
              struct.pack(">IIII", tag, 0 if opcode == 0x43 else 0xFFFFFFFF, cmd_sn, 0)).ljust(48, b"\0")
    return header + data + bytes(-len(data) % 4)


FIRST = pdu(0x43, 0x87, 1, 1, LOGIN)
ALL = FIRST + b"".join(pdu(0x04, 0x80, 2 + i, 1 + i, ["SendTargets=All"]) for i in range(QUESTIONS))


class Idler:
    def __init__(self, kind, port, address):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", port))
        self.to_send = FIRST if kind == "slow" else b""
        if kind == "deaf":
            self.socket.sendall(ALL)

    def one_byte(self):
        self.socket.send(self.to_send[:1])
        self.to_send = self.to_send[1:]


def main():
    port, kind, count, addresses = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    idlers, poll = [None] * count, select.poll()
    for turn in range(1_000_000):
        second = time.monotonic() + 1
        gone = {fd for fd, _ in poll.poll(0)}
        print(sum(idler is not None for idler in idlers) - len(gone) if turn else "ready", flush=True)
        for i, idler in enumerate(idlers):
            try:
                if idler is not None and idler.socket.fileno() in gone:
                    poll.unregister(idler.socket)
                    idler.socket.close()
                    idler = idlers[i] = None
                if idler is None:
                    idler = idlers[i] = Idler(kind, port, addresses[i % len(addresses)])
                    poll.register(idler.socket, select.POLLRDHUP)
                elif idler.to_send:
                    idler.one_byte()
            except OSError:  # closed as it spoke: the next turn finds it
                pass
        time.sleep(max(0, second - time.monotonic()))


main()
