// Runs in the page, on its own: what of each panel can't be read.

/** What is wrong with a panel. */
export interface Complaints {
  complaints: string[];
}

/** By the panel's title; nothing for a panel that can be read. */
export function legibility(): Record<string, Complaints> {
  const SMALLEST = 10; // px of a text
  const ROUNDING = 8; // px that a scrolling area may be taller than it looks
  const found: Record<string, Complaints> = {};
  for (const panel of document.querySelectorAll<HTMLElement>("[data-panel]")) {
    const complaints = new Set<string>();
    const title = panel.querySelector("h2");
    for (const element of panel.querySelectorAll("*")) {
      const style = getComputedStyle(element);
      const below = element.scrollHeight - element.clientHeight;
      if (below > ROUNDING && /auto|scroll/.test(style.overflowY))
        complaints.add(`${below} px below the edge`);
      const beside = element.scrollWidth - element.clientWidth;
      if (beside > ROUNDING && /auto|scroll/.test(style.overflowX))
        complaints.add(`${beside} px beyond the edge`);
      const isText = [...element.childNodes].some(
        (node) => node.nodeType === Node.TEXT_NODE && node.nodeValue?.trim(),
      );
      const size = parseFloat(style.fontSize);
      if (isText && size < SMALLEST) complaints.add(`text of ${size.toFixed(1)} px`);
    }
    const texts = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      const range = document.createRange();
      range.selectNodeContents(text);
      const { right } = range.getBoundingClientRect();
      for (let around = text.parentElement!; around !== panel; around = around.parentElement!) {
        const edges = around.getBoundingClientRect();
        if (edges.width <= 1) break; // only for screen readers
        if (
          right > edges.right + 1 &&
          /hidden|clip/.test(getComputedStyle(around).overflowX) &&
          text.nodeValue?.trim()
        )
          complaints.add(around === title ? "title cut off" : `"${text.nodeValue}" cut off`);
      }
    }
    if (complaints.size) found[panel.dataset.panel!] = { complaints: [...complaints] };
  }
  return found;
}
