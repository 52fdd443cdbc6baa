"""The plain tokens of the last block: what a tower gives when nothing is changed."""

from textseg.model.readouts import plain_tokens, register
from textseg.registry import Facts

register(
    "clip",
    Facts(
        title="Plain tokens",
        about="The tokens of the last block, or the map of a convolutional tower, as they are (PACL learns from them).",
    ),
    needs=(),
)(plain_tokens)
