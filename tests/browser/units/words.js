import { equal, test } from "./cases.js";
import { withWord } from "../../../assets/web/explore/words.js";

test("a word joins the others by one comma, whatever stood at the end", () => {
  equal(["", "cup", "cup, ", "cup,,\n", "猫、"].map((text) => withWord(text, "dog")), ["dog", "cup, dog", "cup, dog", "cup, dog", "猫, dog"]);
});
