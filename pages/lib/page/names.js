/**
 * Tells things with the same name apart.
 */

/**
 * @param {string} name
 * @param {string[]} taken names that are in use
 * @returns {string} the name, with a number after it if it is taken, such as "iPhone 2"
 */
export function numbered(name, taken) {
  let free = name;
  for (let number = 2; taken.includes(free); number += 1) {
    free = `${name} ${number}`;
  }
  return free;
}
