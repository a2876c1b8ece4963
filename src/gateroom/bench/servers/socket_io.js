// A socket.io server as its documentation shows it: every `msg` is emitted to everybody.
const http = require("node:http");
const { Server } = require("socket.io");

const server = http.createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("msg", (data) => io.emit("msg", data));
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, () => {
  console.log(`ready on http://127.0.0.1:${server.address().port}`);
});
