"""Starts ministack, the emulator of AWS, on loopback.

With CLOCK_PORT set its time stands still, until somebody on loopback sends that port a line with the milliseconds
since 1970 to go to; the answer is `ok`. So a test of what happens after 15 minutes takes no 15 minutes.
"""

import datetime
import os
import socketserver
import threading


def stand_still(port: int) -> None:
    import time_machine

    def moment(ms: int) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)

    clock = time_machine.travel(moment(0), tick=False).start()

    class Move(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            clock.move_to(moment(int(self.rfile.readline())))
            self.wfile.write(b"ok\n")

    server = socketserver.TCPServer(("127.0.0.1", port), Move)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    if os.environ.get("CLOCK_PORT"):
        stand_still(int(os.environ["CLOCK_PORT"]))
    from ministack.app import main

    main()
