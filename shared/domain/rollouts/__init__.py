"""Which variant of a prompt, a model or a flow a run gets, and what can be told of the variants.

Pure: what is declared, who is chosen, what has been measured and what that proves.
"""
