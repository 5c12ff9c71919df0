"""A static checker that finds this project's ten mistakes in Socket.IO code.

It reads JavaScript, TypeScript and Python. The modules, lowest first; each imports only from those above it:

1. `ir` is the tree that `parse` converts all languages to.
2. `names`, `scopes`, `modules`, `project`: what a name means, across files.
3. `places`, `tables`, `tags`, `uses`, `collect`: collections, and what is called and written.
4. `flow`, `answers`, `contents`, `parameters`, `values`: where a value comes from, and what it is.
5. `dialects`, `wrappers`, `handlers`, `actions`, `servers`, `rooms`: what the code does with Socket.IO.
6. `files`, `load`, `facts`: all files are read and analysed.
7. `databases`, `stores`, `rights`, `guards`, `kept_ids`, `identity`, `claims`, `choices`, `limits`, `running`,
   `membership`, `known_rooms`: questions of several rules about the facts.
8. `model`, `rules`, `own_rules`: what a rule is, and the rules, one module each.
9. `run`: one check, with `fixes`, which words the fix of each finding, and with `suppress`, `baseline` and `since`,
   which hide findings.
10. `report_text`, `report_json`, `report_sarif`, `report_github`: the result in its forms.
"""
