"""The pipeline: one folder a stage, one Cloud Run function each.

    ingest    HTTP: webhooks and CloudEvents become events
    route     events     -> stores the event, opens runs, emits their first steps
    compose   compose    -> picks and renders the step's prompt
    generate  generate   -> asks the model, validates and repairs the answer
    act       act        -> actions and calls of registered functions
    sweep     sweep      -> run timeouts and expired records
    bury      *-dead     -> records dead letters and fails what they stopped
    console   HTTP: runs are looked at and acted on

The chain advances inside the stage that finishes a step; there is no central engine.
"""
