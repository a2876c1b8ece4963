"""Broadcast: everybody who has logged in hears everybody else in the room `lobby`, and who has left.

    uvicorn --app-dir examples broadcast:app

The first start prints the passwords of admin, alice, bob and carol. The page is http://127.0.0.1:8000/

Nothing of it is a loop over sockets: the room is Gateroom's, so a slow peer holds nobody up, names are those of the
accounts, and history and presence are there for the asking.
"""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from gateroom import Gateroom

PAGE = """<!doctype html><title>Broadcast</title>
<form id="login"><input name="username"> <input name="password" type="password"> <button>Log in</button></form>
<form id="say"><input name="text" autocomplete="off"> <button>Send</button></form>
<ul id="log"></ul>
<script type="module">
let socket, me;
const show = (text) => document.querySelector("#log").appendChild(document.createElement("li")).append(text);
const events = {
  welcome: ({user}) => { me = user; show(`You are ${user.name}`); },
  message: ({from, data}) => show(from.id === me.id ? `You wrote: ${data}` : `${from.name} says: ${data}`),
  joined: ({user}) => show(`${user.name} joined the chat`),
  left: ({user}) => show(`${user.name} left the chat`),
};
document.querySelector("#login").onsubmit = async (event) => {
  event.preventDefault();
  const body = JSON.stringify({...Object.fromEntries(new FormData(event.target)), cookie: true});
  const answer = await fetch("/auth/login", {method: "POST", headers: {"Content-Type": "application/json"}, body});
  if (!answer.ok) return show((await answer.json()).detail);
  socket = new WebSocket("/ws/rooms/lobby", "gateroom.v1");
  socket.onmessage = ({data}) => { const said = JSON.parse(data); events[said.type]?.(said); };
  socket.onclose = ({reason}) => show(`Closed: ${reason}`);
};
document.querySelector("#say").onsubmit = (event) => {
  event.preventDefault();
  socket?.send(event.target.text.value);
  event.target.reset();
};
</script>
"""

app = FastAPI()
Gateroom(demo=True).install(app)


@app.get("/")
async def page() -> HTMLResponse:
    return HTMLResponse(PAGE)
