"""The model stand-in: an HTTP server that speaks Vertex AI's REST to the unchanged client.

A request is read (`question`), met by an armed fault or a rule (`faults`, `rules`), answered from
the rule or from its own response schema (`derive`), and put into Google's words (`wire`).
"""
