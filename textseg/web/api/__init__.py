"""Named Gradio endpoints, for programs."""
