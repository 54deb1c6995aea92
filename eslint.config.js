import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["pages/**/*.js", "tests/pages/**/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from a peer is text: use textContent." },
        { property: "outerHTML", message: "Text from a peer is text: use textContent." },
        { property: "insertAdjacentHTML", message: "Text from a peer is text: use append." },
      ],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
];
