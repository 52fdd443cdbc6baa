"""How pages and server talk: components, messages, pictures."""
