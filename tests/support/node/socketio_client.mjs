// A stock socket.io-client, driven line by line: each line of stdin is a JSON command, each of stdout something it heard.
//   ["connect", name, url, options]   ["emit", name, event, ...arguments]   ["close", name]
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const sockets = new Map();
const say = (...said) => process.stdout.write(JSON.stringify(said) + "\n");

const commands = {
  connect(name, url, options) {
    const socket = io(url, { reconnection: false, forceNew: true, ...options });
    sockets.set(name, socket);
    socket.on("connect", () => say(name, "connect", socket.io.engine.transport.name));
    socket.on("connect_error", (error) => say(name, "connect_error", error.message));
    socket.on("disconnect", (reason) => say(name, "disconnect", reason));
    socket.io.engine?.on("upgrade", (transport) => say(name, "upgrade", transport.name));
    socket.onAny((event, ...data) => say(name, event, ...data));
  },
  emit(name, event, ...data) {
    sockets.get(name).emit(event, ...data);
  },
  close(name) {
    sockets.get(name).close();
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [command, ...rest] = JSON.parse(line);
    commands[command](...rest);
  })
  .on("close", () => process.exit(0));
