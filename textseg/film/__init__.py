"""Films: their frames become photos in order, and labels go from one frame to the next.

`video` and `numbered` say which frames there are, `intake` brings them into a project, `carry` takes the labels of one
frame to another as a proposal, `chain` goes on from frame to frame.
"""
