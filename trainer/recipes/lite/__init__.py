"""The default head of `lite`, trained from captions and object names: `python -m trainer.recipes.lite`."""
