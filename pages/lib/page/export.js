/**
 * Gives text to the person, on the clipboard or as a file.
 */

import { text } from "./view.js";

/** How long a button says that it worked, in milliseconds. */
const SAID_FOR = 2_000;
/** How long the browser may take to start saving a file, in milliseconds, before the file's memory is freed. */
const KEPT_FOR = 60_000;

/**
 * Make a button copy text. The button says that it did, and then shows its label again.
 * @param {HTMLButtonElement} button
 * @param {object} copied
 * @param {() => string} copied.content
 * @param {(content: string) => string} [copied.refused] helps the person to copy it by hand; returns what the button
 *   says then
 */
export function copyOnClick(button, { content, refused = () => "Refused" }) {
  const label = button.textContent?.trim() ?? "";
  let timer = 0;
  button.addEventListener("click", async () => {
    const copied = content();
    text(button, (await copyText(copied)) ? "Copied" : refused(copied));
    clearTimeout(timer);
    timer = setTimeout(() => text(button, label), SAID_FOR);
  });
}

/**
 * @param {string} content
 * @returns {Promise<boolean>} whether it is on the clipboard; pages over plain HTTP have none
 */
async function copyText(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch (error) {
    console.warn(`The clipboard was refused: ${error}`);
    return false;
  }
}

/**
 * @param {string} name of the file
 * @param {string} type its media type
 * @param {string} content
 */
export function download(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_FOR);
}
