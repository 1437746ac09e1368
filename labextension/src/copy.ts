/**
 * Copies the text of a node; where the browser has no clipboard for this page (it has one on
 * https and on localhost only), marks it instead.
 *
 * @returns whether it is in the clipboard.
 */
export async function copyText(node: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(node);
    return false;
  }
}
