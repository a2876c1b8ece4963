"""Items: a socket for each item, for whoever has a token (`?token=…`, header, subprotocol) or our cookie.

    uvicorn --app-dir examples items:app

The first start prints the passwords of admin, alice, bob and carol. Then, for instance with websocat:

    token=$(curl -s http://127.0.0.1:8000/auth/token -d grant_type=password -d username=alice -d password=… |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
    websocat "ws://127.0.0.1:8000/items/foo/ws?q=3&token=$token"
"""

from fastapi import FastAPI, WebSocket

from gateroom import Gateroom, SocketPrincipal

app = FastAPI()
Gateroom(demo=True).install(app)


@app.websocket("/items/{item_id}/ws")
async def item(websocket: WebSocket, item_id: str, principal: SocketPrincipal, q: str | None = None) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"You are {principal.username}")
        if q is not None:
            await websocket.send_text(f"Query parameter q is: {q}")
        await websocket.send_text(f"Message text was: {text}, for item ID: {item_id}")
