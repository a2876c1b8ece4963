"""Echo: a page with a form, and a socket that answers it, for people who have logged in.

    uvicorn --app-dir examples echo:app

The first start prints the passwords of admin, alice, bob and carol. The page is http://127.0.0.1:8000/
"""

from fastapi import FastAPI, WebSocket
from fastapi.responses import HTMLResponse

from gateroom import Gateroom, SocketPrincipal

PAGE = """<!doctype html><title>Echo</title>
<form id="login"><input name="username"> <input name="password" type="password"> <button>Log in</button></form>
<form id="say"><input name="text" autocomplete="off"> <button>Send</button></form>
<ul id="log"></ul>
<script type="module">
let socket;
const show = (text) => document.querySelector("#log").appendChild(document.createElement("li")).append(text);
document.querySelector("#login").onsubmit = async (event) => {
  event.preventDefault();
  const body = JSON.stringify({...Object.fromEntries(new FormData(event.target)), cookie: true});
  const answer = await fetch("/auth/login", {method: "POST", headers: {"Content-Type": "application/json"}, body});
  if (!answer.ok) return show((await answer.json()).detail);
  socket = new WebSocket("/echo");
  socket.onopen = () => show("Connected");
  socket.onmessage = ({data}) => show(data);
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


@app.websocket("/echo")
async def echo(websocket: WebSocket, principal: SocketPrincipal) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"Message text was: {text}")
