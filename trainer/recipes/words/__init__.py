"""The word tables that travel with the program: `python -m trainer.recipes.words` makes them."""
