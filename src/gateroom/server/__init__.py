"""uvicorn, all of it: the protocol classes that replace its own, and the process around them."""
