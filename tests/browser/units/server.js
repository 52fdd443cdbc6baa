import { equal, test } from "./cases.js";
import { tokenIn } from "../../../assets/web/shared/server.js";

const served = (token) => `{"head": "<meta name=\\"textseg-token\\" content=\\"${token}\\"><style>"}`;

test("the token is found in the page as Gradio serves it", () => equal(tokenIn(served("aB3_x-9")), "aB3_x-9"));

test("a token may begin with a dash", () => equal(tokenIn(served("-_aB3")), "-_aB3"));

test("the token is found in an element too", () => equal(tokenIn('<meta name="textseg-token" content="-a9">'), "-a9"));

test("another page has no token", () => equal(tokenIn("<html>Bad gateway</html>"), undefined));
