"""Rooms by router: private rooms that one makes, invites others to, and comes back to without having missed a message.

    uvicorn --app-dir examples rooms:app

The first start prints the passwords of admin, alice, bob and carol. A room is http://127.0.0.1:8000/rooms/anything:
the first who opens it owns it, and lets others in by name.
"""

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from gateroom import Gateroom

PAGE = """<!doctype html><title>Room</title>
<form id="login"><input name="username"> <input name="password" type="password"> <button>Log in</button></form>
<form id="invite"><input name="username"> <button>Invite</button></form>
<form id="say"><input name="text" autocomplete="off"> <button>Send</button></form>
<ul id="log"></ul>
<script type="module">
const room = location.pathname.split("/").pop();
let socket, csrf, since;
const show = (text) => document.querySelector("#log").appendChild(document.createElement("li")).append(text);
const ask = (type, fields) => socket.send(JSON.stringify({type, id: type, room, ...fields}));
const call = (method, path, body) => fetch(path, {
  method, body: JSON.stringify(body), headers: {"Content-Type": "application/json", "X-CSRF-Token": csrf ?? ""},
});
const heard = ({from, data, epoch, seq}) => { since = {epoch, seq}; show(`${from.name}: ${data}`); };
const events = {
  welcome: () => ask("join", since && {since}),
  reply: ({id, position, recovered, missed}) => {
    if (id !== "join") return;
    show(recovered ? "You are in" : "You are in; some older messages are gone");
    missed.forEach(heard);
    since ??= position;
  },
  message: heard,
  removed: ({reason}) => show(`You are out: ${reason}`),
  error: ({message}) => show(message),
};
function connect() {
  socket = new WebSocket("/ws", "gateroom.v1");
  socket.onmessage = ({data}) => { const said = JSON.parse(data); events[said.type]?.(said); };
  socket.onclose = ({code, reason}) => {
    show(`Closed: ${reason || code}`);
    if (code !== 1008) setTimeout(connect, 500 + 1000 * Math.random());
  };
}
const on = (form, act) => document.querySelector(form).addEventListener("submit", (event) => {
  event.preventDefault();
  act(Object.fromEntries(new FormData(event.target)));
  event.target.reset();
});
on("#login", async (fields) => {
  const answer = await call("POST", "/auth/login", {...fields, cookie: true});
  const body = await answer.json();
  if (!answer.ok) return show(body.detail);
  csrf = body.csrf_token;
  await call("POST", "/api/rooms", {id: room});
  connect();
});
on("#invite", async ({username}) => {
  const answer = await call("PUT", `/api/rooms/${room}/members/@${username}`, {role: "member"});
  show(answer.ok ? `${username} may come in` : (await answer.json()).detail);
});
on("#say", ({text}) => ask("publish", {data: text}));
</script>
"""

router = APIRouter(prefix="/rooms")


@router.get("/{room}")
async def page(room: str) -> HTMLResponse:
    return HTMLResponse(PAGE)


app = FastAPI()
app.include_router(router)
Gateroom(demo=True).install(app)
