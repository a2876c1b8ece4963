"""Serves the `app` of a module beside this script on stock uvicorn, on a free port that it prints."""

import socket
import sys

import uvicorn

if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stdout.write(f"ready on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        f"{sys.argv[1]}:app", loop="uvloop", ws="websockets-sansio", http="httptools", log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[listener])
