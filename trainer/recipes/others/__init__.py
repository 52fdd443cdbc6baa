"""What the other words need (textseg/model/others.py): what is above each noun, and the nouns embedded for `lite`."""
