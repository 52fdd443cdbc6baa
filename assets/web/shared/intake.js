/** The ways a photo comes in: file picker, drop, paste, camera. Each ends in `onphoto(file)`. */

import { h, icon } from "./dom.js";

/**
 * @param {Object<string, any>} part the page's parts: open, file, camera, camera-dialog, board, drop
 * @param {function(File): void} onphoto
 * @param {function(string): void} onproblem
 * @param {function(): boolean} shown whether drops and pastes are meant for this page
 */
export function listenForPhotos(part, onphoto, onproblem, shown) {
  part.open.addEventListener("click", () => part.file.click());
  part.file.addEventListener("change", () => {
    if (part.file.files[0]) onphoto(part.file.files[0]);
    part.file.value = "";
  });
  listenForDrops(part.drop, onphoto, onproblem, shown);
  document.addEventListener("paste", (event) => {
    const file = [...event.clipboardData.files][0];
    if (!file || !shown()) return;
    event.preventDefault();
    onphoto(file);
  });
  part.camera.addEventListener("click", () => takePhoto(part["camera-dialog"], onphoto, onproblem));
}

function listenForDrops(curtain, onphoto, onproblem, shown) {
  const files = (event) => shown() && event.dataTransfer?.types.includes("Files");
  let leaving = 0;
  document.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    clearTimeout(leaving);
    curtain.hidden = false;
    leaving = setTimeout(() => (curtain.hidden = true), 300); // dragover comes again and again while a file hovers
  });
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    curtain.hidden = true;
    if (event.dataTransfer.files.length > 1)
      onproblem("Several photos were dropped; the first one was opened.");
    onphoto(event.dataTransfer.files[0]);
  });
}

/** Show the camera's picture; the button takes it as a photo. */
async function takePhoto(dialog, onphoto, onproblem) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 } },
    });
  } catch (error) {
    const why =
      error.name === "NotAllowedError"
        ? "The camera may not be used; allow it in the browser."
        : "No camera was found.";
    return onproblem(
      navigator.mediaDevices ? why : "The camera works on https and localhost addresses only.",
    );
  }
  const video = h("video", {
    autoplay: true,
    playsinline: true,
    muted: true,
    "aria-label": "Camera picture",
  });
  video.srcObject = stream;
  const close = () => dialog.close();
  const take = () => {
    const shot = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    shot.getContext("2d").drawImage(video, 0, 0);
    shot.toBlob(
      (blob) => onphoto(new File([blob], "camera.jpg", { type: "image/jpeg" })),
      "image/jpeg",
      0.92,
    );
    close();
  };
  dialog.addEventListener("close", () => stream.getTracks().forEach((track) => track.stop()), { once: true });
  dialog.replaceChildren(
    video,
    h(
      "div",
      { class: "row" },
      h("button", { class: "button", type: "button", onclick: take }, icon("camera"), "Take the photo"),
      h("button", { class: "button quiet", type: "button", onclick: close }, "Cancel"),
    ),
  );
  dialog.showModal();
}
