/**
 * Copies the text of a node; where the browser has no clipboard for this page (it has one on
 * https and on localhost only), marks it instead.
 *
 * @param key - pressed for it; has the focus where the text is marked, as the keys that copy
 *   would otherwise act on the cell that has it.
 * @returns whether it is in the clipboard.
 */
export async function copyText(
  node: HTMLElement,
  key: HTMLElement
): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    key.focus();
    getSelection()?.selectAllChildren(node);
    return false;
  }
}
