"""FastAPI, all of it: routes, dependencies, error translation, the hand-over of sockets, the pages."""
