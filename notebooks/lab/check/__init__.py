"""A static checker that finds this project's ten mistakes in Socket.IO code.

It checks JavaScript, TypeScript and Python. Its main modules form numbered layers. A module imports only from its own
layer and from layers with lower numbers:

1. `ir` has the syntax tree; `parse` converts all languages to this tree.
2. `names`, `scopes`, `dialects`, `modules`, `project` find which declaration a name refers to, across files.
3. `places`, `tables`, `tags`, `uses`, `collect` find the calls and collections, and what the code puts into them.
4. `flow`, `answers`, `contents`, `parameters`, `values` find out where a value comes from, and what it is.
5. `wrappers`, `handlers`, `actions`, `servers`, `rooms` find out what the checked code does with Socket.IO.
6. `files`, `decode`, `load`, `facts` read and analyse all files.
7. `databases`, `stores`, `purposes`, `rights`, `guards`, `kept_ids`, `identity`, `login`, `claims`, `choices`,
   `limits`, `running`, `membership`, `known_rooms` answer questions about the checked code that several rules ask.
8. `model`, `rules`, `own_rules` define what a rule is, and all rules; `rules` has one module for each rule.
9. `run` does one check. `fixes`, `set_user` and `related` write how to fix each finding. `suppress`, `baseline` and
   `since` hide findings.
10. `report_text`, `report_json`, `report_sarif`, `report_github` write the result of a check in different formats.
"""
