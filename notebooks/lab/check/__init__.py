"""A static checker that finds the ten mistakes in JavaScript, TypeScript and Python code."""
