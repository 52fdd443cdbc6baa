"""A server for strangers, such as a Space: every visitor has a project of their own, which goes after a stated time.

`store` keeps the projects, `api` is the project in hand of whoever asks, `functions` what the header of a page asks.
"""

from textseg.web.visitors.store import Limits, Visitors

__all__ = ["Limits", "Visitors"]
