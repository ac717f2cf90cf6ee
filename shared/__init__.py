"""The library copied into every stage's bundle.

Direction of imports, top to bottom (import-linter enforces it):

    runtime     settings, logging, composition root, HTTP entry
    adapters    the only place that knows google.*, a model SDK or an HTTP client
    delivery    the step protocol over the ports: decode, claim, commit, emit, disposition
    prompting   prompts and flow files as typed objects
    ports       what the pipeline needs from the world, as Protocols
    domain      pure: events, flow graph, chain advance, ids, prices. No clock, no I/O
    errors      the whole exception tree
"""
