"""Ten thousand photos: labelled by a pipeline whose steps overlap, in this process, in several, or on a cluster.

    question = answerer.Question(vocabulary)                                 # what is asked of every photo
    target = targets.IntoFolder(files.LabelFolder(folder, photos), question) # where answers go; or IntoProject
    start = partial(answerer.Answerer.load, answerer.Named("lite"), question)
    with processes.Processes(start, 2) as crew:                              # who answers; or here.Here(start())
        report = run.label(photos, target, crew)

What a target has on disk is done: a run that was killed at any moment is gone on with by the same run again, with
`resume`. A photo is never half there, as its facts are written last.
"""
