import { equal, test } from "./cases.js";
import { linkedTo } from "../../../assets/web/explore/photos.js";

const SAMPLES = [{ name: "coffee" }, { name: "cat" }];

test("a link names a sample, words, or both", () => {
  equal(
    ["?sample=cat&words=tabby cat, wall", "?sample=cat", "?words=cup%3B mug"].map((search) => linkedTo(SAMPLES, search)),
    [{ key: "cat", words: "tabby cat, wall" }, { key: "cat", words: undefined }, { key: "coffee", words: "cup; mug" }],
  );
});

test("a link that names neither, or no sample there is, asks for nothing", () => {
  equal(["", "?sample=dog", "?__theme=dark"].map((search) => linkedTo(SAMPLES, search)), [null, null, null]);
});
