import { equal, test } from "./cases.js";
import { server } from "../../../assets/web/shared/languages/de.js";
import { replied, said } from "../../../assets/web/shared/language.js";

test("a text that the table lacks stays English", () => equal(said({}, "Open a photo"), "Open a photo"));

test("values come into their places in either language", () => {
  const table = { "{have} of {most}": "{have} von {most}" };
  equal([said(table, "{have} of {most}", { have: 1, most: 2 }), said({}, "{have} of {most}", { have: 1, most: 2 })], ["1 von 2", "1 of 2"]);
});

test("a value that looks like a place is not replaced again", () => equal(said({}, "Add {word}", { word: "{word}" }), "Add {word}"));

test("what every object has is no text of a table", () => equal(said({}, "constructor"), "constructor"));

const table = {
  Exporting: "Wird exportiert",
  "{what} is still going on; wait for it, or stop it.": "„{what}“ läuft noch; warten Sie darauf, oder halten Sie es an.",
  "There is no folder {name}.": "Den Ordner {name} gibt es nicht.",
};

test("a sentence of the server is known whatever it names, and what it names stays", () => {
  equal(replied(table, "There is no folder /home/me/{name} (1)."), "Den Ordner /home/me/{name} (1) gibt es nicht.");
  equal(replied(table, "There is no folder Exporting."), "Den Ordner Exporting gibt es nicht.");
});

test("a sentence within a sentence is known too", () => {
  equal(replied(table, "Exporting is still going on; wait for it, or stop it."), "„Wird exportiert“ läuft noch; warten Sie darauf, oder halten Sie es an.");
});

test("a sentence that the table lacks stays English", () => equal(replied(table, "The disk is full."), "The disk is full."));

test("each sentence of the server is known as itself, and as none of the others", () => {
  const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, name === "what" ? "?" : name.toUpperCase()]);
  const filled = (text) => said({}, text, Object.fromEntries(names(text)));
  const wrong = Object.entries(server).filter(([text, own]) => replied(server, filled(text)) !== filled(own));
  equal(wrong, []);
});
