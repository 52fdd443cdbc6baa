"""The server side of each page."""
