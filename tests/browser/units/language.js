import { equal, test } from "./cases.js";
import { said } from "../../../assets/web/shared/language.js";

test("a text that the table lacks stays English", () => equal(said({}, "Open a photo"), "Open a photo"));

test("values come into their places in either language", () => {
  const table = { "{have} of {most}": "{have} von {most}" };
  equal([said(table, "{have} of {most}", { have: 1, most: 2 }), said({}, "{have} of {most}", { have: 1, most: 2 })], ["1 von 2", "1 of 2"]);
});

test("a value that looks like a place is not replaced again", () => equal(said({}, "Add {word}", { word: "{word}" }), "Add {word}"));

test("what every object has is no text of a table", () => equal(said({}, "constructor"), "constructor"));
