"""QuFLX's browsers: their Socket.IO events, both generations, on the relay's own fan-out.

`events` says which events there are, `sessions` who is connected and what each watches, `bridge` joins that to the
fan-out, `outlet` writes packets to sockets, `mount` is the application that the gateway serves at `/socket.io/`.
"""
