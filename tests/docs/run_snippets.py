"""Run the blocks of one page one after another in one namespace, with the page's own line numbers.

    python run_snippets.py PAGE < blocks.json

Stops at the first block that raises; the traceback names the page and its line.
"""

import ast
import json
import sys

page = sys.argv[1]
namespace: dict[str, object] = {"__name__": "__main__"}
for block in json.load(sys.stdin):
    tree = ast.parse(block["text"], filename=page)
    ast.increment_lineno(tree, block["line"] - 1)
    exec(compile(tree, page, "exec"), namespace)
