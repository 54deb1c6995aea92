/**
 * Gives text to the person: to the clipboard, or as a file. Imports nothing.
 */

/** How long the browser may take to begin with a file, in milliseconds, before its memory is given back. */
const KEPT_FOR = 60_000;

/**
 * @param {string} content
 * @returns {Promise<boolean>} whether the clipboard has it; without a secure context there is none
 */
export async function copyText(content) {
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
