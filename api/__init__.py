"""The what-if service over HTTP: routes, store, keys, page."""
